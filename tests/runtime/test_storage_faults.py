"""What browsers keep between visits, and everything that can happen to it."""

import json

import pytest
from support.fault_page import (
    DEMO,
    NO_CACHE,
    ONCE,
    SHARDS,
    again,
    ends_well,
    ends_with,
    notes,
    pack,
    prepare,
    run,
    shard,
    visit,
)
from support.fault_server import FaultServer, drop, hold, html, refuse
from support.tab import Tab

C, F = shard("c"), shard("f")
KEYS = "(await (await caches.open('onnxpress')).keys()).map(({ url }) => new URL(url).pathname)"
FULL = "The browser's storage for this page is full; the files stay in memory this time."
NONE = "This browser keeps no files for this page; the next visit downloads them again."

# --- what a browser may lack: scripts for the page and its worker ---

FORBIDDEN = ("Object.defineProperty(globalThis, 'caches', "
             "{ get() { throw new DOMException('not here', 'SecurityError'); } });")
UNREADABLE = "Cache.prototype.match = () => Promise.reject(new Error('the disk failed'));"
LATER = "localStorage.setItem('onnxpress:begun', '1')"  # this is no first visit
SILENT = "Cache.prototype.match = () => new Promise(() => {});"
NO_LOCKS = "Object.defineProperty(navigator, 'locks', { value: undefined });"
NO_LOCKS_HERE = ("LockManager.prototype.request = "
                 "() => Promise.reject(new DOMException('no', 'SecurityError'));")


def room(entries: int) -> str:
    """A cache that holds no more than that."""
    return f"""const put = Cache.prototype.put;
      let turn = Promise.resolve();
      Cache.prototype.put = function (key, value) {{
        turn = turn.catch(() => {{}}).then(async () => {{
          if ((await this.keys()).length < {entries}) return put.call(this, key, value);
          throw new DOMException("full", "QuotaExceededError");
        }});
        return turn;
      }};"""


def kept(tab: Tab) -> list[str]:
    """The paths in the cache, in the order in which they were written."""
    return tab.js(f"(async () => {KEYS})()")


def names(host: FaultServer) -> set[str]:
    shards = json.loads(host.files["/tiny/manifest.json"])["weights"]["shards"]
    return {f"/onnxpress/sha256/{entry['sha256']}" for entry in shards}


def second_visit(host: FaultServer, tab: Tab) -> dict[str, int]:
    """What a run on a second visit downloads."""
    host.requests.clear()
    visit(host, tab, forget=False)
    run(tab)
    ends_well(tab)
    return host.weights()


def ends_stored(host: FaultServer, tab: Tab) -> None:
    """Well, and all that was downloaded is kept: that follows the check."""
    ends_well(tab)
    wanted = json.dumps(sorted(names(host)))
    tab.wait(f"(async () => {{ const keys = {KEYS}; "
             f"return {wanted}.every((one) => keys.includes(one)); }})()")


# --- between visits ---


def test_a_second_visit_downloads_nothing(faulty: FaultServer, tab: Tab) -> None:
    run(tab)
    ends_stored(faulty, tab)
    assert set(kept(tab)) == names(faulty)
    assert second_visit(faulty, tab) == {}


def test_equal_files_of_other_pages_and_versions_are_here_already(
        faulty: FaultServer, tab: Tab) -> None:
    run(tab)
    ends_well(tab)
    renamed = pack()
    text = renamed["manifest.json"].decode().replace("weights-", "/tiny/other/weights-")
    faulty.publish("/tiny/2.0/", {**renamed, "manifest.json": text.encode()})
    faulty.requests.clear()
    tab.js(f"{DEMO}.setAttribute('src', '/tiny/2.0/manifest.json')")
    run(tab)
    ends_well(tab)
    assert faulty.weights() == {}


def test_a_poisoned_cache_is_replaced(faulty: FaultServer, tab: Tab) -> None:
    run(tab)
    ends_stored(faulty, tab)
    tab.js(f"""(async () => {{
      const cache = await caches.open("onnxpress");
      for (const key of {KEYS}) await cache.put(key, new Response("poison"));
    }})()""")
    assert second_visit(faulty, tab) == ONCE
    assert second_visit(faulty, tab) == {}


def test_what_was_evicted_is_fetched_and_nothing_else(faulty: FaultServer, tab: Tab) -> None:
    run(tab)
    ends_stored(faulty, tab)
    tab.js(f"(async () => (await caches.open('onnxpress')).delete(({KEYS})[0]))()")
    assert sum(second_visit(faulty, tab).values()) == 1
    tab.js("caches.delete('onnxpress')")
    assert second_visit(faulty, tab) == ONCE


def test_eviction_in_the_middle_of_a_load_does_no_harm(faulty: FaultServer, tab: Tab) -> None:
    gate = faulty.gate()
    faulty.tricks[F] = [hold(gate, 0.5)]
    run(tab)
    gate.wait()
    tab.wait("caches.open('onnxpress').then((c) => c.keys()).then((keys) => keys.length == 5)")
    tab.js("caches.delete('onnxpress')")
    gate.open.set()
    ends_well(tab)
    assert faulty.weights() == ONCE


def test_what_is_here_runs_without_a_network(faulty: FaultServer, tab: Tab) -> None:
    """On a host that lets browsers keep its files; the page is open, its demo is a new one."""
    faulty.headers = {"Cache-Control": "max-age=600"}
    visit(faulty, tab)
    run(tab)
    ends_well(tab)
    for path in faulty.files:
        if path.startswith(("/tiny/", "/rt/", "/hurry")):
            faulty.tricks[path] = [refuse] * 9
    faulty.requests.clear()
    tab.js(f"{DEMO}.replaceWith({DEMO}.cloneNode(true))")
    run(tab)
    ends_well(tab)
    assert set(faulty.requests) <= {"/tiny/manifest.json"}, "asked for, in vain"


# --- no room ---


def test_a_full_disk_leaves_the_files_in_memory(faulty: FaultServer, tab: Tab) -> None:
    """The browser's own quota, of nothing."""
    tab.call("Storage.overrideQuotaForOrigin", origin=faulty.url, quotaSize=1)
    run(tab)
    ends_well(tab)
    tab.wait(f"{DEMO}.model.notes.length > 0")
    assert notes(tab) == [FULL]
    assert kept(tab) == []
    assert faulty.weights() == ONCE


def test_older_files_make_room_and_this_model_s_stay(faulty: FaultServer, tab: Tab) -> None:
    prepare(faulty, tab, lack=room(8))
    tab.js("""(async () => { const cache = await caches.open("onnxpress");
      for (const name of ["oldest", "old", "new", "newest"]) {
        await cache.put(`/onnxpress/sha256/${name}`, new Response(name)); } })()""")
    run(tab)
    ends_stored(faulty, tab)
    assert kept(tab)[:2] == [f"/onnxpress/sha256/{name}" for name in ("new", "newest")]
    assert set(kept(tab)[2:]) == names(faulty)
    assert notes(tab) == []


def test_what_is_used_is_not_the_oldest(faulty: FaultServer, tab: Tab) -> None:
    """A file that is read a month after it was written counts as new."""
    run(tab)
    ends_stored(faulty, tab)
    first = kept(tab)[0]
    tab.js(f"""(async () => {{ const cache = await caches.open("onnxpress");
      for (const key of {KEYS}) {{
        const bytes = await (await cache.match(key)).arrayBuffer();
        const Date = key === "{first}" ? "Wed, 01 Jan 2020 00:00:00 GMT" : new globalThis.Date();
        await cache.put(key, new Response(bytes, {{ headers: {{ Date }} }})); }} }})()""")
    assert kept(tab)[0] == first
    assert second_visit(faulty, tab) == {}
    assert kept(tab)[-1] == first


def test_a_cache_too_small_for_the_model_keeps_what_it_can(faulty: FaultServer, tab: Tab) -> None:
    prepare(faulty, tab, lack=room(4))
    run(tab)
    ends_well(tab)
    tab.wait(f"{DEMO}.model.notes.length > 0")
    assert notes(tab) == [FULL]
    assert len(kept(tab)) == 4 and set(kept(tab)) < names(faulty)
    assert sum(second_visit(faulty, tab).values()) == 2


# --- no cache ---

def test_a_first_visit_does_not_wait_for_a_cache(faulty: FaultServer, tab: Tab) -> None:
    prepare(faulty, tab, lack=SILENT)
    run(tab)
    ends_well(tab)
    assert faulty.weights() == ONCE


LACKS = {"missing": (NO_CACHE, [NONE]), "forbidden": (FORBIDDEN, [NONE]),
         "unreadable": (UNREADABLE, []), "no-locks": (NO_LOCKS, []),
         "locks-forbidden": (NO_LOCKS_HERE, [])}


@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
@pytest.mark.parametrize("kind", LACKS)
def test_a_browser_that_lacks_it_still_runs_the_model(
        faulty: FaultServer, tab: Tab, kind: str, first: bool) -> None:
    lack, said = LACKS[kind]
    prepare(faulty, tab, lack=lack)
    if not first:
        tab.js(LATER)
    run(tab)
    ends_well(tab)
    assert faulty.weights() == ONCE
    assert notes(tab) == said


@pytest.mark.parametrize("lack", [NO_CACHE, room(0)], ids=["missing", "full"])
def test_another_try_finds_what_came_in_memory(faulty: FaultServer, tab: Tab, lack: str) -> None:
    prepare(faulty, tab, lack=lack)
    faulty.tricks[C] = [html(404)]
    gate = faulty.gate()
    faulty.tricks[F] = [hold(gate, 0.5)]
    run(tab)
    gate.wait()
    assert ends_with(tab).startswith("weights-c.bin: the server answered 404.")
    again(tab)
    tab.wait(f"{DEMO}.state == 'fetching'")
    gate.open.set()
    ends_well(tab)
    assert faulty.weights() == {**ONCE, "weights-c.bin": 2}


def test_a_sandboxed_frame_runs_without_storage(faulty: FaultServer, tab: Tab) -> None:
    """A real one: its origin is opaque, so caches, locks and sessionStorage all throw."""
    faulty.headers = {"Access-Control-Allow-Origin": "*"}
    faulty.files["/hurry.js"] += b"""
      addEventListener("load", async () => {
        const demo = document.querySelector("onnx-demo");
        await customElements.whenDefined("onnx-demo");
        await demo.run();
        const bars = demo.shadowRoot.querySelector(".onnx-bars")?.innerText;
        const text = bars ?? demo.shadowRoot.querySelector(".fault").innerText;
        parent.postMessage([demo.state, text, demo.model?.notes], "*");
      });"""
    visit(faulty, tab, "/pages/plain.html")
    tab.js("""globalThis.told = null; addEventListener("message", ({ data }) => { told = data; });
      const frame = Object.assign(document.createElement("iframe"), { src: "/demo.html" });
      frame.sandbox = "allow-scripts"; document.body.append(frame)""")
    state, text, said = tab.wait("told")
    assert (state, text.split("\n")[:2]) == ("done", ["red", "79.8 %"]), text
    assert NONE in said
    assert faulty.weights() == ONCE


# --- two tabs ---


def open_another(host: FaultServer, tab: Tab) -> None:
    """A second tab of the same browser, as the global `other`."""
    tab.js(f"globalThis.other = open('{host.url}/demo.html'); 0")
    tab.wait(f"other.{DEMO}?.ariaLabel == 'Colours'")


OTHER = f"other.{DEMO}"


def test_a_second_tab_waits_and_reads_what_the_first_one_downloads(
        faulty: FaultServer, tab: Tab) -> None:
    open_another(faulty, tab)
    gate = faulty.gate()
    faulty.tricks[shard("a")] = [hold(gate, 0.5)]
    run(tab)
    gate.wait()
    tab.js(f"void {OTHER}.run()")
    tab.wait("navigator.locks.query().then(({ pending }) => pending.length > 0)")
    gate.open.set()
    ends_well(tab)
    assert tab.wait(f"['done', 'failed'].includes({OTHER}.state) && {OTHER}.state") == "done"
    assert faulty.weights() == ONCE
    tab.js("other.close()")


def test_a_closed_tab_hands_over(faulty: FaultServer, tab: Tab) -> None:
    open_another(faulty, tab)
    gates = [faulty.gate() for _ in SHARDS]
    for name, gate in zip(SHARDS, gates, strict=True):
        faulty.tricks[f"/tiny/{name}"] = [hold(gate, 0.5)]
    tab.js(f"void {OTHER}.run()")
    gates[0].wait()
    run(tab)
    tab.wait("navigator.locks.query().then(({ pending }) => pending.length > 0)")
    faulty.tricks.clear()
    tab.js("other.close()")
    ends_well(tab)
    assert all(count == 2 for name, count in faulty.weights().items() if name in SHARDS[:4])


def test_a_tab_that_sleeps_on_a_lock_is_not_waited_for(faulty: FaultServer, tab: Tab) -> None:
    prepare(faulty, tab, patience=40)
    tab.js(f"""for (const path of {json.dumps(sorted(names(faulty)))}) {{
      void navigator.locks.request("onnxpress " + path.slice(-64), () => new Promise(() => {{}}));
    }} 0""")
    run(tab)
    ends_well(tab)
    assert faulty.weights() == ONCE


@pytest.mark.parametrize("kind", ["first", "later", "no-locks"])
def test_two_tabs_at_once_do_not_harm_each_other(
        faulty: FaultServer, tab: Tab, kind: str) -> None:
    prepare(faulty, tab, lack=NO_LOCKS if kind == "no-locks" else "")
    if kind == "later":
        tab.js(LATER)
    open_another(faulty, tab)
    tab.js(f"void {OTHER}.run(), void {DEMO}.run()")
    ends_well(tab)
    assert tab.wait(f"['done', 'failed'].includes({OTHER}.state) && {OTHER}.state") == "done"
    tab.wait(f"(async () => ({KEYS}).length == {len(names(faulty))})()")
    assert set(kept(tab)) == names(faulty)
    if kind == "later":
        assert faulty.weights() == ONCE
    tab.js("other.close()")
    assert second_visit(faulty, tab) == {}


def test_a_connection_that_breaks_at_the_end_costs_the_last_files_only(
        faulty: FaultServer, tab: Tab) -> None:
    """The network goes away at 90 % and comes back when the visitor tries again."""
    faulty.tricks[F] = [drop(0.9)] * 3
    run(tab)
    assert ends_with(tab).startswith("weights-f.bin: the connection broke after")
    assert second_visit(faulty, tab) == {"weights-f.bin": 1}
