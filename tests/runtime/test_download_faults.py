"""Networks and hosts that fail: the demo comes to the right answer or to one clear sentence."""

import json
import re

import pytest
from support.fault_page import (
    AGAIN,
    DEMO,
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
from support.fault_server import (
    FaultServer,
    Trick,
    chunked,
    drop,
    gzipped,
    hang,
    hold,
    html,
    turned,
    without_length,
)
from support.tab import Tab
from support.tiny_pack import tiny_demo

FILES = [f"/tiny/{name}" for name in ("manifest.json", "module.js", "labels.txt", "red.png",
                                      *SHARDS)]
C = shard("c")


# --- a file comes oddly, but it comes ---

ODD = {
    "gzip": gzipped("right"), "gzip-no-length": gzipped("absent"),
    "gzip-wrong-length": gzipped("wrong"), "chunked": chunked(1), "no-length": without_length,
    "wrong-type": turned(bytes, kind="text/plain"),
    "no-type-known": turned(bytes, kind="application/x-nonsense"),
    "duplicated": turned(lambda body: body + body),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_transport_is_as_good(faulty: FaultServer, tab: Tab, kind: str) -> None:
    odd = {path: ODD[kind] for path in FILES}
    if "type" in kind:  # browsers themselves refuse modules of another type; labels stay text
        del odd["/tiny/module.js"]
    if kind in ("duplicated", "gzip-wrong-length"):  # only the manifest tells where these end
        odd = {path: trick for path, trick in odd.items() if "weights" in path}
    faulty.tricks = {path: [trick] * 2 for path, trick in odd.items()}
    run(tab)
    ends_well(tab)
    assert faulty.weights() == ONCE
    assert faulty.ranges == 0


def test_a_slow_file_shows_its_progress_in_bytes(faulty: FaultServer, tab: Tab) -> None:
    gate = faulty.gate()
    faulty.tricks[shard("f")] = [hold(gate, 0.5)]
    tab.js(f"""globalThis.seen = [];
      {DEMO}.addEventListener("progress", ({{ detail }}) => seen.push(detail)); 0""")
    run(tab)
    gate.wait()
    total = tab.wait("seen.findLast(({ loaded, total }) => loaded >= total - 6)?.total")
    assert tab.js(f"{DEMO}.state") == "fetching"
    gate.open.set()
    ends_well(tab)
    assert tab.js("seen.at(-1).total") == total
    fractions = tab.js("seen.map(({ fraction }) => fraction)")
    assert fractions == sorted(fractions)


# --- a file comes at another try ---

PASSING = {
    "drop": drop(0.9), "drop-at-once": drop(0), "corrupt": turned(lambda body: body[::-1]),
    "short": turned(lambda body: body[:-1]), "empty": turned(lambda body: b""), "html": html(),
    "busy": html(503), "too-many": html(429),
}


@pytest.mark.parametrize("kind", PASSING)
def test_a_fault_that_passes_costs_one_request(faulty: FaultServer, tab: Tab, kind: str) -> None:
    faulty.tricks[C] = [PASSING[kind]]
    run(tab)
    ends_well(tab)
    assert faulty.weights() == {**ONCE, "weights-c.bin": 2}


@pytest.mark.parametrize("path", ["/tiny/manifest.json", "/tiny/labels.txt", "/tiny/red.png",
                                  "/tiny/module.js"])
def test_any_file_has_more_than_one_chance(faulty: FaultServer, tab: Tab, path: str) -> None:
    faulty.tricks[path] = [drop(0.5), html(503)]
    visit(faulty, tab)
    run(tab)
    ends_well(tab)
    assert faulty.tricks[path] == []


def test_a_hung_server_is_asked_again(faulty: FaultServer, tab: Tab) -> None:
    prepare(faulty, tab, patience=20)
    faulty.tricks[C] = [hold(faulty.gate(), 0.5)]
    faulty.tricks["/tiny/red.png"] = [hang(faulty.gate())]
    run(tab)
    ends_well(tab)
    assert faulty.weights() == {**ONCE, "weights-c.bin": 2}


# --- a file does not come: one sentence, and what came stays ---

FINAL = {
    "drop": (drop(0.5), 3, "weights-c.bin: the connection broke after N of 12 bytes. "
                           "Check the network and try again."),
    "busy": (html(503), 3, "weights-c.bin: the server answered 503. Try again in a while."),
    "missing": (html(404), 1, "weights-c.bin: the server answered 404. Reload the page, which may "
                              "be older than its files; else the site lacks this file."),
    "html": (html(), 2,
             "weights-c.bin: the server sent a web page in place of this file. " + AGAIN),
    "corrupt": (turned(lambda body: body[::-1]), 2,
                "weights-c.bin: the bytes are not the published ones (sha256). " + AGAIN),
    "short": (turned(lambda body: body[:-1]), 2,
              "weights-c.bin: the server sent only 11 bytes where 12 were published. " + AGAIN),
}


@pytest.mark.parametrize("kind", FINAL)
def test_a_fault_that_stays_is_a_sentence_and_costs_no_other_file(
        faulty: FaultServer, tab: Tab, kind: str) -> None:
    trick, tries, sentence = FINAL[kind]
    faulty.tricks[C] = [trick] * tries
    run(tab)
    assert re.sub(r"after \d+ of", "after N of", ends_with(tab)) == sentence
    assert faulty.tricks[C] == []
    tab.wait("caches.open('onnxpress').then((c) => c.keys()).then((keys) => keys.length == 5)")
    again(tab)
    ends_well(tab)
    assert faulty.weights() == {**ONCE, "weights-c.bin": tries + 1}


def test_a_server_that_hangs_for_good_is_a_sentence(faulty: FaultServer, tab: Tab) -> None:
    prepare(faulty, tab, patience=40)
    faulty.tricks[C] = [hang(faulty.gate()) for _ in range(3)]
    run(tab)
    assert ends_with(tab) == ("weights-c.bin: the server sent nothing for 20 seconds. "
                              "Check the network and try again.")


def test_without_a_network_the_demo_says_so_and_recovers(faulty: FaultServer, tab: Tab) -> None:
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    tab.call("Network.enable")
    try:
        tab.call("Network.emulateNetworkConditions", offline=True, **offline)
        run(tab)
        assert ends_with(tab) == ('The sample "A red square" cannot be downloaded. Check the '
                                  "network and try again, or use a picture of your own.")
    finally:
        tab.call("Network.emulateNetworkConditions", offline=False, **offline)
    again(tab)
    ends_well(tab)


def test_a_sample_that_is_a_web_page_is_a_sentence(faulty: FaultServer, tab: Tab) -> None:
    faulty.tricks["/tiny/red.png"] = [html()]
    run(tab)
    assert ends_with(tab).startswith('The sample "A red square" cannot be downloaded.')
    assert faulty.weights() == {}


def test_a_foreign_host_that_refuses_other_sites_is_named(faulty: FaultServer, tab: Tab) -> None:
    """localhost is another origin than 127.0.0.1, and this server sends no CORS headers."""
    manifest = json.loads(faulty.files["/tiny/manifest.json"])
    foreign = faulty.url.replace("127.0.0.1", "localhost")
    manifest["weights"]["shards"][2]["url"] = f"{foreign}{C}"
    faulty.files["/tiny/manifest.json"] = json.dumps(manifest).encode()
    visit(faulty, tab)
    run(tab)
    assert ends_with(tab) == (
        f"{foreign}{C}: {foreign[7:]} cannot be reached, or it does not let other sites have its "
        "files (CORS). Check the network and try again.")


# --- the manifest ---

BAD_MANIFESTS = {
    "html": (html(), "the server sent a web page; give the URL of a manifest.json that onnxpress "
                     "wrote."),
    "truncated": (turned(lambda body: body[:99]), "the server sent something that is not JSON; "
                  "give the URL of a manifest.json that onnxpress wrote."),
    "format": (turned(lambda body: body.replace(b'"onnxpress": 1', b'"onnxpress": 99')),
               "this is no onnxpress manifest of format 1; build the model and this page with the "
               "same version of onnxpress."),
    "empty": (turned(lambda body: b'{"onnxpress": 1}'),
              "name: it is missing; build the pack again."),
}


@pytest.mark.parametrize("kind", BAD_MANIFESTS)
def test_a_bad_manifest_is_asked_for_again_and_then_a_sentence(
        faulty: FaultServer, tab: Tab, kind: str) -> None:
    trick, sentence = BAD_MANIFESTS[kind]
    path = "/tiny/manifest.json"
    faulty.tricks[path] = [trick]
    visit(faulty, tab)
    run(tab)
    ends_well(tab)
    faulty.tricks[path] = [trick] * 4  # the description as it comes near, then the run
    visit(faulty, tab)
    tab.wait(f"{DEMO}.state == 'idle'")
    run(tab)
    assert ends_with(tab) == f"{faulty.url}{path}: {sentence}"


def outdated(faulty: FaultServer) -> None:
    """A new deploy: shard c has another name, the old one is gone, the title has changed."""
    new = pack(demo={**tiny_demo(), "title": "New colours"})
    text = new["manifest.json"].decode().replace("weights-c.bin", "weights-new.bin")
    new["weights-new.bin"] = new.pop("weights-c.bin")
    faulty.publish("/tiny/", {**new, "manifest.json": text.encode()})


@pytest.mark.parametrize("gone", [html(404), html()], ids=["404", "html"])
def test_a_site_published_anew_is_read_anew(faulty: FaultServer, tab: Tab, gone: Trick) -> None:
    outdated(faulty)
    faulty.tricks[C] = [gone] * 2
    run(tab)
    ends_well(tab)
    assert tab.js(f"{DEMO}.ariaLabel") == "New colours"
    assert faulty.weights() | {"weights-c.bin": 1} == {**ONCE, "weights-new.bin": 1}


def test_a_stale_manifest_in_a_cache_is_not_the_last_word(faulty: FaultServer, tab: Tab) -> None:
    """A cache on the way that answers with the old manifest unless it is told to ask the faulty."""
    old = faulty.files["/tiny/manifest.json"]
    outdated(faulty)
    stale = turned(lambda _: old)

    def cache(to: object, answer: tuple) -> None:
        trick = turned(bytes) if to.headers["Pragma"] == "no-cache" else stale
        trick(to, answer)

    faulty.tricks["/tiny/manifest.json"] = [cache] * 9
    visit(faulty, tab)
    run(tab)
    ends_well(tab)
    assert tab.js(f"{DEMO}.ariaLabel") == "New colours"


def test_load_starts_over_with_a_new_manifest(faulty: FaultServer, tab: Tab) -> None:
    old = faulty.files["/tiny/manifest.json"]
    outdated(faulty)
    faulty.tricks["/tiny/manifest.json"] = [turned(lambda _: old)]
    seen = tab.js("""(async () => {
      const { load } = await import("/rt/onnxpress.js");
      const seen = [];
      const model = await load("/tiny/manifest.json", { onProgress: (p) => seen.push(p.fraction) });
      model.dispose();
      return seen;
    })()""")
    assert seen == sorted(seen) and seen[-1] == 1
    assert faulty.weights()["weights-new.bin"] == 1


def test_a_host_whose_manifest_never_fits_its_files_is_a_sentence(
        faulty: FaultServer, tab: Tab) -> None:
    """Each answer is another manifest, and none names files that exist."""
    count = iter(range(99))

    def moving(body: bytes) -> bytes:
        return body.replace(b"weights-c.bin", f"weights-{next(count)}.bin".encode())

    faulty.tricks["/tiny/manifest.json"] = [turned(moving) for _ in range(9)]
    visit(faulty, tab)
    run(tab)
    assert ends_with(tab).endswith("the site has been published anew since this page was opened, "
                                   "and this file is gone. Reload the page.")


# --- programs ---


def test_a_module_is_verified_before_it_runs(faulty: FaultServer, tab: Tab) -> None:
    faulty.tricks["/tiny/module.js"] = [turned(lambda body: b"hacked = true;" + body)] * 2
    run(tab)
    assert ends_with(tab) == ("JavaScript failed: module.js: the bytes are not the published ones "
                              f"(sha256). {AGAIN}")
    again(tab)
    ends_well(tab)


def test_a_fallback_downloads_no_weights_again(faulty: FaultServer, tab: Tab) -> None:
    prepare(faulty, tab, idle_wasm=True)
    faulty.tricks["/tiny/idle.wasm"] = [turned(bytes, kind="text/html")]
    run(tab)
    ends_well(tab)
    assert tab.js(f"{DEMO}.model.target") == "js"
    assert notes(tab)[0].startswith("WebAssembly failed: on this device its results differ")
    assert faulty.weights() == ONCE
