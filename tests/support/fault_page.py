"""A visitor on the page of fault_server: asks for a run, reads what there is to read."""

import json

from support.fault_server import FaultServer
from support.tab import Tab
from support.tiny_pack import tiny_pack

CUTS = (2, 4, 16, 20, 32)  # six shards, no two alike
SHARDS = [f"weights-{letter}.bin" for letter in "abcdef"]
ONCE = dict.fromkeys(SHARDS, 1)
DEMO = "document.querySelector('onnx-demo')"
ROOT = f"{DEMO}.shadowRoot"
RED = ["red", "79.8 %", "green", "17.8 %"]  # softmax of 2.5, 1, -1
END = (f"{DEMO}.state === 'failed' || ({DEMO}.state === 'done' && "
       f"{ROOT}.querySelector('.checked')?.innerText === 'Checked on this device')")
NO_CACHE = "Object.defineProperty(globalThis, 'caches', { value: undefined });"
AGAIN = "Reload the page; if that does not help, the site needs to publish its files again."


def pack(**changes: object) -> dict[str, bytes]:
    return tiny_pack(CUTS, **changes)


def shard(name: str) -> str:
    return f"/tiny/weights-{name}.bin"


def sha(host: FaultServer, path: str) -> str:
    manifest = json.loads(host.files["/tiny/manifest.json"])
    name = path.rpartition("/")[2]
    return next(e["sha256"] for e in manifest["weights"]["shards"] if e["url"] == name)


def prepare(host: FaultServer, tab: Tab, patience: int = 1, lack: str = "",
            **changes: object) -> None:
    """A sound pack, an open page with its demo, and no requests counted yet: its thumbnails, which
    are the samples themselves, have come."""
    host.reset(pack(**changes), patience, lack)
    visit(host, tab)
    tab.wait(f"{DEMO}.ariaLabel == 'Colours'")
    tab.wait(f"[...{ROOT}.querySelectorAll('img')].every((image) => image.complete)")
    host.requests.clear()


def visit(host: FaultServer, tab: Tab, page: str = "/demo.html", forget: bool = True) -> None:
    """Opens the page, without memory of earlier tests, and waits for the description."""
    if forget:
        tab.call("Storage.clearDataForOrigin", origin=host.url,
                 storageTypes="cache_storage,local_storage")
        tab.call("Storage.overrideQuotaForOrigin", origin=host.url)
        tab.call("Network.clearBrowserCache")
    tab.open(host.url + page)


def run(tab: Tab) -> None:
    tab.js(f"void {DEMO}.run()")


def again(tab: Tab) -> None:
    """The visitor's click on "Try again"."""
    tab.js(f"{ROOT}.querySelector('.fault button').click()")


def ends_well(tab: Tab) -> None:
    """The demo shows the right answer and no complaint."""
    tab.wait(END)
    assert tab.js(f"{DEMO}.state") == "done", sentence(tab)
    assert bars(tab) == RED
    assert not tab.js(f"{ROOT}.querySelector('.fault').checkVisibility()")


def ends_with(tab: Tab) -> str:
    """The one sentence that the visitor reads, beside what was on the page before."""
    tab.wait(END)
    assert tab.js(f"{DEMO}.state") == "failed", bars(tab)
    assert tab.js(f"[...{ROOT}.querySelectorAll('[role=alert]')]"
                  ".filter((alert) => alert.checkVisibility()).length") == 1
    assert tab.js(f"""[{DEMO}.querySelector(".onnx-poster"), {ROOT}.querySelector(".view")]
      .some((shown) => shown.checkVisibility())"""), "the page is blank"
    return sentence(tab)


def sentence(tab: Tab) -> str:
    return tab.js(f"{ROOT}.querySelector('.fault p').textContent")


def bars(tab: Tab) -> list[str]:
    return tab.js(f"{ROOT}.querySelector('.onnx-bars')?.innerText ?? ''").split("\n")


def notes(tab: Tab) -> list[str]:
    return tab.js(f"{DEMO}.model.notes")
