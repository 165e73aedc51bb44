"""Fixtures that several test files share."""

from collections.abc import Iterator

import pytest
from support.fault_page import prepare
from support.fault_server import FaultServer
from support.page_server import PUBLISHED, PageServer
from support.paths import PAGES
from support.tab import Tab


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with Tab() as tab:
        yield tab


@pytest.fixture(scope="module")
def host() -> Iterator[PageServer]:
    """A server of the runtime and of tests/pages, which can misbehave."""
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


# Begun first, so that no worker ends alone.
SLOW = ("test_cases", "test_models", "test_site", "test_webgpu")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.path.stem.startswith(SLOW))
