"""<onnx-demo> as a visitor meets it: poster, run, pictures, keys, faults, navigation, CSP."""

import base64
import json
from typing import Any

import pytest
from support.page_server import PageServer
from support.tab import Tab
from support.tiny_pack import MODULE, paint_pack, square, tiny_demo, tiny_pack

CSP = ("default-src 'none'; script-src 'self' {wasm}; style-src 'self'; "
       "img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'")
DEMO = "document.querySelector('onnx-demo')"
ROOT = f"{DEMO}.shadowRoot"
READY = f"!!{ROOT}?.querySelector('.foot:not([hidden])')"
DONE = f"{DEMO}.state == 'done'"
CHECKED = f"{ROOT}.querySelector('.checked')?.innerText === 'Checked on this device'"


@pytest.fixture
def site(host: PageServer, tab: Tab) -> PageServer:
    """The server, and an open page with one demo of a sound pack."""
    publish(host, tiny_pack())
    host.headers = {}
    tab.open(host.url + "/pages/plain.html")
    tab.js("caches.delete('onnxpress'), sessionStorage.clear()")
    show(host, tab)
    return host


def publish(host: PageServer, pack: dict[str, bytes]) -> None:
    host.files = {k: v for k, v in host.files.items() if not k.startswith("/tiny/")}
    host.files |= {f"/tiny/{name}": content for name, content in pack.items()}
    host.faults.clear()


def show(host: PageServer, tab: Tab, query: str = "") -> None:
    tab.open(f"{host.url}/pages/demo.html{query}")
    tab.wait(READY)
    host.requests.clear()
    tab.js(f"""(() => {{
      const demo = {DEMO};
      Object.assign(globalThis, {{ events: [], left: [] }});
      for (const type of ["progress", "ready", "result", "fallback", "error"]) {{
        demo.addEventListener(type, (e) => events.push([type, demo.state, e.detail]));
      }}
      new MutationObserver((list) => left.push(...list.map((one) => one.oldValue)))
        .observe(demo, {{ attributeFilter: ["state"], attributeOldValue: true }});
    }})()""")


def click(tab: Tab, selector: str, index: int = 0) -> None:
    tab.js(f"{ROOT}.querySelectorAll({json.dumps(selector)})[{index}].click()")


def text(tab: Tab, selector: str) -> str:
    return tab.js(f"{ROOT}.querySelector({json.dumps(selector)}).innerText")


def give(tab: Tab, content: bytes, name: str, kind: str = "", way: str = "drop") -> None:
    """A file dropped on the demo, or pasted."""
    encoded = base64.b64encode(content).decode()
    made = {"drop": "new DragEvent('drop', {dataTransfer: data, bubbles: true})",
            "paste": "new ClipboardEvent('paste', {clipboardData: data, bubbles: true})"}[way]
    tab.js(f"""(() => {{
      const bytes = Uint8Array.from(atob("{encoded}"), (c) => c.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], {json.dumps(name)}, {{ type: "{kind}" }}));
      {DEMO}.dispatchEvent({made});
    }})()""")


# --- states and events ---


def test_the_poster_stands_and_nothing_heavy_comes_before_it_is_asked_for(
        site: PageServer, tab: Tab) -> None:
    assert tab.js(f"{DEMO}.state") == "idle"
    assert tab.js(f"{DEMO}.querySelector('.onnx-poster').checkVisibility()")
    assert text(tab, ".run") == "Run on this device"
    assert text(tab, ".hint").startswith("The model is 44 B, downloaded once. Pictures never leave")
    tab.js("new Promise((r) => setTimeout(r, 300))")
    assert not any("weights" in path or "module.js" in path for path in site.requests)


def test_a_run_goes_through_the_states_and_shows_the_answer(site: PageServer, tab: Tab) -> None:
    click(tab, ".run")
    tab.wait(DONE)
    assert tab.js("left") == [
        "idle", "detecting", "fetching", "preparing", "ready", "running"]
    kinds = [kind for kind, *_ in tab.js("events")]
    assert kinds[-2:] == ["ready", "result"] and set(kinds[:-2]) == {"progress"}
    # Red 1, green 0, blue 0: scores 2.5, 1, -1.
    assert text(tab, ".onnx-bars").split("\n") == ["red", "79.8 %", "green", "17.8 %"]
    assert not tab.js(f"{DEMO}.querySelector('.onnx-poster').checkVisibility()")
    assert text(tab, ".origin") == "Computed on this device."
    tab.wait(CHECKED)
    assert text(tab, ".why") == "JavaScript, which runs everywhere."
    assert text(tab, ".hint") == "A red square · CC0"
    assert tab.logs == []


def test_a_second_click_on_run_is_harmless(site: PageServer, tab: Tab) -> None:
    tab.js(f"{ROOT}.querySelector('.run').click(); {ROOT}.querySelector('.run').click()")
    tab.wait(DONE)
    tab.js("new Promise((r) => setTimeout(r, 100))")
    assert [kind for kind, *_ in tab.js("events")].count("result") == 1
    click(tab, ".run")
    tab.wait("events.filter(([type]) => type == 'result').length == 2")
    assert text(tab, ".facts").startswith("A run takes")


def test_a_sample_s_built_result_is_shown_while_the_model_loads(
        site: PageServer, tab: Tab) -> None:
    site.faults["/tiny/weights-a.bin"] = [lambda a: (403, "text/plain", b"")]
    click(tab, ".samples button")
    tab.wait(f"{DEMO}.state == 'failed'")
    assert text(tab, ".onnx-bars").split("\n")[:2] == ["red", "60.0 %"]
    assert text(tab, ".origin") == "Computed when this page was built."
    assert "the server answered 403" in text(tab, ".fault")
    assert [kind for kind, *_ in tab.js("events")][-1] == "error"
    click(tab, ".fault button")
    tab.wait(DONE)
    assert not tab.js(f"{ROOT}.querySelector('.fault').checkVisibility()")


@pytest.mark.parametrize(("change", "sentence"), [
    ({"task": {"name": "divination"}}, "demo.task: it must be an object whose name is"),
    ({"given": None}, "The manifest does not say how a picture becomes an input"),
])
def test_a_demo_that_the_scripts_do_not_know_is_refused(
        site: PageServer, tab: Tab, change: dict[str, Any], sentence: str) -> None:
    demo = {key: value for key, value in {**tiny_demo(), **change}.items() if value}
    publish(site, tiny_pack(demo=demo))
    tab.open(f"{site.url}/pages/demo.html")
    tab.wait(f"!!{ROOT}?.querySelector('.run')")
    click(tab, ".run")
    tab.wait(f"{DEMO}.state == 'failed'")
    assert sentence in text(tab, ".fault p")


def test_another_picture_takes_over_a_running_one(site: PageServer, tab: Tab) -> None:
    slow = MODULE.replace("export function run(H) {",
                          "export function run(H) { const t = performance.now() + 150; "
                          "while (performance.now() < t);")
    publish(site, tiny_pack(module=slow))
    show(site, tab)
    click(tab, ".run")
    tab.wait(f"{DEMO}.state == 'running'")
    click(tab, ".samples button", 1)
    tab.wait(DONE)
    tab.js("new Promise((r) => setTimeout(r, 400))")
    results = [e for e in tab.js("events") if e[0] == "result"]
    assert len(results) == 1
    assert text(tab, ".hint") == "A blue square · CC0"
    assert text(tab, ".onnx-bars").startswith("green")


@pytest.mark.parametrize("loading, asked", [("eager", True), ("lazy", True), ("click", False)])
def test_loading_says_when(site: PageServer, tab: Tab, loading: str, asked: bool) -> None:
    tab.js(f"""const d = {DEMO}.cloneNode(); d.setAttribute("loading", "{loading}");
      {DEMO}.replaceWith(d)""")
    tab.wait(DONE if asked else READY)
    assert tab.js(f"{DEMO}.state") == ("done" if asked else "idle")


def test_the_switch_runs_the_same_picture_on_another_target(site: PageServer, tab: Tab) -> None:
    publish(site, tiny_pack(idle_wasm=True))
    show(site, tab)
    click(tab, ".run")
    tab.wait(CHECKED)
    assert [e[2]["to"] for e in tab.js("events") if e[0] == "fallback"] == ["js"]
    assert text(tab, "option") == "Automatic (JavaScript)"
    tab.js(f"""(() => {{ const s = {ROOT}.querySelector("select"); s.value = "wasm";
      s.dispatchEvent(new Event("change")); }})()""")
    tab.wait(f"{DEMO}.state == 'failed'")
    assert text(tab, ".fault").startswith("WebAssembly failed: on this device its results differ")


# --- what visitors bring ---


def test_a_dropped_or_pasted_picture_runs(site: PageServer, tab: Tab) -> None:
    for way, colour, first in [("drop", "lime", "red"), ("paste", "red", "red")]:
        show(site, tab)
        give(tab, square(colour, (40, 30), "JPEG"), "mine.jpg", "image/jpeg", way)
        tab.wait(DONE)
        assert text(tab, ".onnx-bars").startswith(first)
        assert text(tab, ".hint") == "Your own picture. It stays in this browser."


FILES = {
    "empty.png": (b"", "image/png", '"empty.png" is empty; choose a picture file.'),
    "cut.png": (square("red")[:40], "image/png",
                '"cut.png" is damaged or of a kind that this browser cannot read; '
                "choose a JPEG, PNG or WebP picture."),
    "paper.pdf": (b"%PDF-1.7 ...", "application/pdf",
                  '"paper.pdf" is a PDF document; choose a JPEG, PNG or WebP picture.'),
    "photo.heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "image/heic",
                   '"photo.heic" is a HEIC photo, which this browser cannot read; '
                   "choose a JPEG, PNG or WebP picture."),
    "clip.mp4": (b"\0\0\0\x18ftypmp42\0\0\0\0", "video/mp4",
                 '"clip.mp4" is a video; choose a JPEG, PNG or WebP picture.'),
    "note.txt": (b"hello there", "text/plain",
                 '"note.txt" (11 B) is not a picture; choose a JPEG, PNG or WebP picture.'),
    "page.jpg": (b"<!doctype html><p>", "image/jpeg",
                 '"page.jpg" is a web page or XML text; choose a JPEG, PNG or WebP picture.'),
    "all.zip": (b"PK\x03\x04....", "application/zip",
                '"all.zip" is a zip archive; choose a JPEG, PNG or WebP picture.'),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_picture_is_named(site: PageServer, tab: Tab, name: str) -> None:
    content, kind, sentence = FILES[name]
    give(tab, content, name, kind)
    tab.wait(f"{DEMO}.state == 'failed'")
    assert text(tab, ".fault p") == sentence
    assert not tab.js(f"{ROOT}.querySelector('.fault button').checkVisibility()")
    assert not any("weights" in path for path in site.requests)


def test_a_drop_without_a_file_is_explained(site: PageServer, tab: Tab) -> None:
    tab.js(f"""(() => {{ const data = new DataTransfer();
      data.setData("text/uri-list", "https://example.org/cat.jpg");
      {DEMO}.dispatchEvent(new DragEvent("drop", {{ dataTransfer: data }})); }})()""")
    assert text(tab, ".fault p").startswith("That is no file of yours")


# --- keys, screen readers, screens ---


def test_keys_reach_everything(site: PageServer, tab: Tab) -> None:
    seen = []
    for _ in range(5):
        tab.press("Tab")
        seen.append(tab.js(f"""(() => {{ const e = {ROOT}.activeElement;
          return e && (e.title || e.textContent.slice(0, 8) || e.localName); }})()"""))
    assert seen == ["A red square", "A blue square", "Your own", "Run on t", "Automati"]
    ring = tab.js(f"getComputedStyle({ROOT}.activeElement).outlineStyle")
    assert ring == "solid"
    tab.js(f"{ROOT}.querySelector('.run').focus()")
    tab.press("Enter")
    tab.wait(DONE)
    assert tab.js(f"{ROOT}.activeElement.className") == "run"


def test_one_voice_tells_what_happens(site: PageServer, tab: Tab) -> None:
    tab.js(f"document.querySelector('main').append({DEMO}.cloneNode(true))")
    click(tab, ".run")
    tab.wait(DONE)
    assert tab.js("document.querySelectorAll('[role=status]').length") == 1
    assert tab.wait("document.querySelector('[role=status]').textContent") == "red, 79.8 %"
    assert tab.js(f"[{DEMO}.getAttribute('role'), {DEMO}.ariaLabel]") == ["region", "Colours"]


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_overflows(site: PageServer, tab: Tab, width: int, direction: str) -> None:
    tab.resize(width, 800)
    tab.js(f"document.documentElement.dir = '{direction}'")
    click(tab, ".run")
    tab.wait(DONE)
    tab.js(f"{ROOT}.querySelector('details').open = true")
    over = tab.js(f"""[...{ROOT}.querySelectorAll("*")].filter((e) => e.checkVisibility()
      && (e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1))
      .map((e) => e.outerHTML.slice(0, 80))""")
    tab.resize(1280, 900)
    assert over == []


# --- pages that come and go ---


def test_a_demo_that_leaves_frees_its_model_and_comes_back_fresh(
        site: PageServer, tab: Tab) -> None:
    click(tab, ".run")
    tab.wait(DONE)
    tab.js(f"globalThis.kept = {DEMO}; globalThis.model = kept.model; kept.remove()")
    gone = tab.js("model.run({}).catch((e) => e.code)")
    assert gone == "disposed"
    assert tab.js("[kept.state, kept.model]") == ["idle", None]
    tab.js("document.querySelector('main').append(kept), 0")
    tab.wait(READY)
    assert tab.js(f"{DEMO}.querySelector('.onnx-poster').checkVisibility()")
    click(tab, ".run")
    tab.wait(DONE)
    assert text(tab, ".onnx-bars").startswith("red")


def test_a_demo_that_leaves_in_the_middle_says_nothing(site: PageServer, tab: Tab) -> None:
    click(tab, ".run")
    tab.js(f"globalThis.kept = {DEMO}; kept.remove()")
    tab.js("new Promise((r) => setTimeout(r, 500))")
    assert tab.js("kept.state") == "idle"
    assert not [e for e in tab.js("events") if e[0] in ("result", "error")]
    assert tab.logs == []


def test_several_demos_live_on_one_page(site: PageServer, tab: Tab) -> None:
    tab.js(f"""for (let i = 0; i < 4; i++) {DEMO}.after({DEMO}.cloneNode(true));
      for (const demo of document.querySelectorAll("onnx-demo")) demo.run()""")
    tab.wait("[...document.querySelectorAll('onnx-demo')].every((d) => d.state == 'done')")
    assert tab.js("document.querySelectorAll('onnx-demo').length") == 5


def test_a_changed_source_starts_over(site: PageServer, tab: Tab) -> None:
    other = tiny_pack(demo={**tiny_demo(), "title": "Other", "weightsNote": "Untrained weights."})
    site.files |= {f"/tiny/other/{name}": content for name, content in other.items()}
    click(tab, ".run")
    tab.wait(DONE)
    tab.js(f"{DEMO}.setAttribute('src', '/tiny/other/manifest.json')")
    tab.wait(f"{DEMO}.ariaLabel == 'Other'")
    assert tab.js(f"{DEMO}.state") == "idle"
    assert text(tab, ".caveat") == "Untrained weights."


# --- strict pages ---


@pytest.mark.parametrize("wasm", ["'wasm-unsafe-eval'", ""])
def test_a_strict_content_security_policy_is_kept(
        site: PageServer, tab: Tab, wasm: str) -> None:
    publish(site, tiny_pack(idle_wasm=True))
    site.headers = {"Content-Security-Policy": CSP.format(wasm=wasm)}
    show(site, tab)
    give(tab, square("red"), "mine.png", "image/png")
    tab.wait(CHECKED)
    assert tab.js(f"{DEMO}.model.target") == "js"
    refused = "the page's content security policy does not allow it" in text(tab, ".why")
    assert refused == (not wasm)
    assert tab.logs == []


def test_a_page_that_refuses_workers_runs_without(site: PageServer, tab: Tab) -> None:
    site.headers = {"Content-Security-Policy": CSP.format(wasm="").replace(
        "worker-src 'self'", "worker-src 'none'")}
    show(site, tab)
    click(tab, ".run")
    tab.wait(DONE)
    assert tab.js(f"{DEMO}.model.notes") == [
        "The browser refused a worker, so the model runs on the page's own thread."]


# --- other tasks ---


PIXEL = f"""(() => {{ const c = {ROOT}.querySelector(".after canvas");
  return c && [...c.getContext("2d").getImageData(2, 2, 1, 1).data]; }})()"""


def runs(count: int) -> str:
    return f"events.filter(([type]) => type == 'result').length == {count}"


def test_a_picture_is_painted_and_the_edge_moves_by_keys(site: PageServer, tab: Tab) -> None:
    publish(site, paint_pack())
    show(site, tab)
    assert not tab.js(f"{ROOT}.querySelector('.wipe').checkVisibility()")
    click(tab, ".run")
    tab.wait(DONE)
    assert tab.js(PIXEL) == [0, 255, 255, 255]
    tab.js(f"{ROOT}.querySelector('.wipe').focus()")
    tab.press("ArrowRight")
    split = f"{ROOT}.querySelector('.compare').style.getPropertyValue('--split')"
    assert tab.js(split) == "51%"
    assert tab.js(f"{ROOT}.querySelector('[download]').checkVisibility()")


def test_styles_are_chosen_and_mixed(site: PageServer, tab: Tab) -> None:
    publish(site, paint_pack())
    show(site, tab)
    chips = f"[...{ROOT}.querySelectorAll('.chip')].map((c) => [c.innerText, c.ariaPressed])"
    assert tab.js(chips) == [["same", "false"], ["negative", "true"], ["grey", "false"]]
    click(tab, ".chip", 0)
    tab.wait(DONE)
    assert tab.js(PIXEL) == [255, 0, 0, 255]
    click(tab, ".blend .quiet")
    click(tab, ".chip", 2)
    tab.wait(runs(2))
    assert tab.js(PIXEL) == [191, 64, 64, 255]
    tab.js(f"""(() => {{ const s = {ROOT}.querySelectorAll(".mixer input")[0];
      s.value = 0.25; s.dispatchEvent(new Event("input")); }})()""")
    tab.wait(runs(3))
    assert tab.js(PIXEL) == [153, 102, 102, 255]
    click(tab, ".blend .quiet")
    tab.wait(runs(4))
    assert tab.js(PIXEL) == [128, 128, 128, 255]


def test_a_mask_lies_over_the_picture_with_its_legend(site: PageServer, tab: Tab) -> None:
    task = {"name": "segmentation", "output": "painted", "kind": "logits", "layout": "nchw"}
    publish(site, paint_pack(task=task))
    show(site, tab)
    click(tab, ".chip", 0)
    tab.wait(DONE)
    assert text(tab, ".legend").split("\n") == ["red", "100.0 %"]
    click(tab, ".samples button", 1)
    tab.wait(runs(2))
    assert text(tab, ".legend").split("\n") == ["blue", "100.0 %"]


def test_a_pack_without_a_spec_shows_numbers(site: PageServer, tab: Tab) -> None:
    pack = tiny_pack()
    manifest = json.loads(pack["manifest.json"])
    del manifest["demo"]
    publish(site, {**pack, "manifest.json": json.dumps(manifest).encode()})
    show(site, tab)
    click(tab, ".run")
    tab.wait(DONE)
    shown = text(tab, ".tables")
    assert "picture\t1 × 3 × 8 × 8" in shown and "scores\t1 × 3" in shown


def test_debug_times_every_step(site: PageServer, tab: Tab) -> None:
    show(site, tab, "?debug=1")
    click(tab, ".run")
    tab.wait(DONE)
    click(tab, "details .quiet")
    tab.wait(f"{ROOT}.querySelector('details table')?.innerText.includes('mean')")
