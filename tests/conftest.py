"""Fixtures that several test files share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from onnxpress.runtime_files import RUNTIME
from page_server import PageServer
from tab import Tab

PAGES = Path(__file__).parent / "pages"


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with Tab() as tab:
        yield tab


@pytest.fixture(scope="module")
def host() -> Iterator[PageServer]:
    """A server of the runtime and of tests/pages, which can misbehave."""
    with PageServer({"/rt/": RUNTIME, "/pages/": PAGES}) as host:
        yield host


SLOW = ("test_models", "test_site", "test_webgpu")  # begun first, so that no worker ends alone


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.path.stem.startswith(SLOW))
