"""Fixtures that several test files share, and the marks of levels.py."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import levels
import pytest
from onnxpress.run.browser import Browser, find_chromium
from onnxpress.runtime import RUNTIME
from support import dawn as dawn_in_node
from support.chromium import SWIFTSHADER
from support.fault_page import prepare
from support.fault_server import FaultServer
from support.firefox import find_firefox
from support.lavapipe import open_device
from support.page_server import PUBLISHED, PageServer
from support.paths import PAGES
from support.tab import Tab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    levels.assign(items)
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


# Begun first, so that no worker ends alone.
SLOW = ("tests/cases", "tests/proof/test_models", "tests/site/test_site", "tests/webgpu")


# --- programs beside Python: a test asks for what it starts, and is skipped where it is missing -

FIND: dict[str, Callable[[], Any]] = {
    "chromium": find_chromium, "firefox": find_firefox, "dawn": dawn_in_node.environment,
    "lavapipe": open_device}
allowed: set[str] = set()  # what the running test may start


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    allowed.clear()
    allowed.update(levels.engines(item))
    for name in allowed:
        if not FIND[name]():
            pytest.skip(f"no {name} here; PYTHONPATH=tests python -m support.install {name}")


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """A browser that the fixtures do not tell of would put the test on a wrong level."""
    if event == "subprocess.Popen":
        name = Path(os.fsdecode(arguments[0])).name
        if name.startswith(("chrom", "firefox")) and not allowed & {"chromium", "firefox"}:
            raise RuntimeError(f"{name}: the test must ask for the fixture chromium or firefox")


sys.addaudithook(_audit)


@pytest.fixture(scope="session")
def chromium() -> None:
    """The test starts Chromium."""


@pytest.fixture(scope="session")
def firefox() -> None:
    """The test starts Firefox."""


@pytest.fixture(scope="session")
def lavapipe() -> None:
    """The test runs f16 shaders."""


@pytest.fixture
def dawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Node.js finds Dawn."""
    for name, value in (dawn_in_node.environment() or {}).items():
        monkeypatch.setenv(name, value)


# --- what tests meet in a browser -----------------------------------------------------------------


@pytest.fixture(scope="session")
def browser(chromium: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for the tests of this process, with WebGPU on the processor. It serves the
    runtime and, under /tmp/, the folder of all temporary files."""
    folders = {"/runtime/": RUNTIME, "/tmp/": tmp_path_factory.getbasetemp()}
    with Browser(folders, flags=SWIFTSHADER) as browser:
        yield browser


@pytest.fixture(scope="module")
def tab(chromium: None) -> Iterator[Tab]:
    with Tab() as tab:
        yield tab


@pytest.fixture(scope="module")
def host() -> Iterator[PageServer]:
    """A server of the runtime and of tests/data/pages, which can misbehave."""
    with PageServer({**PUBLISHED, "/pages/": PAGES}) as host:
        yield host


@pytest.fixture(scope="module")
def fault_server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def faulty(fault_server: FaultServer, tab: Tab) -> Iterator[FaultServer]:
    """The server with a sound pack of six shards, and a fresh page with its demo."""
    prepare(fault_server, tab)
    yield fault_server
    fault_server.release()
    assert "/rejected" not in fault_server.requests
    assert not any("Uncaught" in text for text in tab.logs)
