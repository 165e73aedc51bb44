"""The button "Download this demo": it saves what `onnxpress export` writes, byte for byte."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from onnxpress.cli import main
from onnxpress.words import size
from support.browsers import NAMES, open_browser
from support.firefox import Firefox
from support.page_server import Answer, PageServer
from support.site_folder import copy_site
from support.tab import Tab

CSP = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob:"
DEMO = "document.querySelector('onnx-demo')"
SAVE = f"{DEMO}?.shadowRoot?.querySelector('.save')"
BUTTON = f"{SAVE}.querySelector('button')"
WORDS = f"{SAVE}.querySelector('span').textContent"
LIVE = "document.querySelector('[aria-live]')?.textContent"
SAVED = "sums.html"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of one demo in site/, and the same demo in one file."""
    folder = copy_site(tmp_path_factory.mktemp("save"), built=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(("build", "docs/sums.yml", "--out", "site")) == 0
        assert main(("export", "docs/sums.yml", "--html", SAVED)) == 0
    return folder


@pytest.fixture(scope="module", params=NAMES)
def browser(request: pytest.FixtureRequest, folder: Path) -> Iterator[Tab | Firefox]:
    downloads = folder / request.param
    downloads.mkdir()
    with open_browser(request.param, downloads=downloads) as tab:
        yield tab


@pytest.fixture
def site(folder: Path, browser: Tab | Firefox) -> Iterator[PageServer]:
    """The page of the demo is open; nothing is in the browser's cache or on the disk."""
    for file in browser.downloads.iterdir():
        file.unlink()
    with PageServer({"/": folder / "site"}, {"Content-Security-Policy": CSP}) as site:
        browser.open(f"{site.url}/{SAVED}")
        browser.wait(f"!!{SAVE}")
        yield site


def saved(folder: Path, wanted: bytes) -> None:
    """Waits until the browser has written the file that is wanted."""
    end = time.monotonic() + 30
    while not ((folder / SAVED).is_file() and (folder / SAVED).read_bytes() == wanted):
        assert time.monotonic() < end, [(f.name, f.stat().st_size) for f in folder.iterdir()]
        time.sleep(0.05)


def test_its_size_stands_there_before_anything_is_downloaded(
        site: PageServer, folder: Path, browser: Tab | Firefox) -> None:
    whole = size((folder / SAVED).stat().st_size)
    assert browser.js(f"{BUTTON}.textContent") == "Download this demo"
    assert browser.js(WORDS) == f"{whole}, one HTML file that works offline"
    described = browser.js(f"{BUTTON}.getAttribute('aria-describedby')")
    assert browser.js(f"{SAVE}.querySelector('#{described}').textContent") == browser.js(WORDS)
    assert not [path for path in site.requests if "-page-" in path or "weights-" in path]


def test_it_saves_the_bytes_of_export(
        site: PageServer, folder: Path, browser: Tab | Firefox) -> None:
    wanted = (folder / SAVED).read_bytes()
    browser.js(f"{BUTTON}.focus()")
    browser.js(f"{BUTTON}.click()")
    saved(browser.downloads, wanted)
    browser.wait(f"{WORDS} == '{SAVED}, {size(len(wanted))}, is among your downloads.'")
    assert browser.js(LIVE) == browser.js(WORDS)
    assert browser.js(f"{DEMO}.shadowRoot.activeElement == {BUTTON}"), "the focus stays"
    assert [text for text in browser.logs if "404" not in text] == []  # there is no favicon

    before = dict(site.requests)
    (browser.downloads / SAVED).unlink()
    browser.js(f"{BUTTON}.click()")
    saved(browser.downloads, wanted)
    assert site.requests == before, "the second time, all is in the browser's cache"


def test_it_can_be_cancelled_and_begun_again(
        site: PageServer, folder: Path, browser: Tab | Firefox) -> None:
    browser.js("caches.delete('onnxpress')")
    held, go = slow_weights(site, folder)
    browser.js(f"{BUTTON}.click()")
    browser.wait(f"{BUTTON}.textContent == 'Cancel' && {WORDS}.startsWith('Downloading, ')")
    assert held.wait(10)
    share = f"{SAVE}.querySelector('progress').value"
    browser.wait(f"0 < {share} && {share} < 1")  # the list of parts is here, the weights are not
    browser.js(f"{BUTTON}.click()")
    browser.wait(f"{WORDS} == 'Cancelled; nothing was saved.'")
    go.set()
    assert not browser.js(f"{SAVE}.querySelector('progress').checkVisibility()")
    assert list(browser.downloads.iterdir()) == []
    browser.js(f"{BUTTON}.click()")
    saved(browser.downloads, (folder / SAVED).read_bytes())


def slow_weights(site: PageServer, folder: Path) -> tuple[threading.Event, threading.Event]:
    """(set when the weights are asked for, to be set when they may go)"""
    held, go = threading.Event(), threading.Event()

    def wait(answer: Answer) -> Answer:
        held.set()
        go.wait(20)
        return answer

    [weights] = (folder / "site/demos").glob("weights-*")
    site.faults[f"/demos/{weights.name}"] = [wait]
    return held, go


def test_a_page_that_is_left_stops_the_download(
        site: PageServer, folder: Path, browser: Tab | Firefox) -> None:
    browser.js("caches.delete('onnxpress')")
    held, go = slow_weights(site, folder)
    browser.js(f"{BUTTON}.click()")
    assert held.wait(10)
    browser.js(f"{DEMO}.remove()")
    go.set()
    browser.wait(f"{LIVE} == 'Cancelled; nothing was saved.'")
    assert list(browser.downloads.iterdir()) == []


@pytest.mark.parametrize("fault", [lambda a: (404, "text/html", b"gone"),
                                   lambda a: (200, a[1], bytes(len(a[2])))], ids=["gone", "wrong"])
def test_a_failure_is_one_sentence_and_saves_nothing(
        site: PageServer, folder: Path, browser: Tab | Firefox, fault) -> None:
    browser.js("caches.delete('onnxpress')")
    [weights] = (folder / "site/demos").glob("weights-*")
    site.faults[f"/demos/{weights.name}"] = [fault] * 9
    browser.js(f"{BUTTON}.click()")
    browser.wait(f"{WORDS}.startsWith('{weights.name}: ')")
    assert browser.js(f"{BUTTON}.textContent") == "Download this demo"
    assert browser.js(LIVE) == browser.js(WORDS)
    assert list(browser.downloads.iterdir()) == []
    assert browser.js(f"{DEMO}.state") == "idle", "the demo itself is not concerned"
