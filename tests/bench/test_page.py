"""<onnx-bench> as a visitor meets it."""

import json
from collections.abc import Iterator
from pathlib import Path

import onnx.parser
import pytest
from onnxpress.compiler import Options, press
from onnxpress.runtime import RUNTIME
from support.page_server import PageServer
from support.tab import Tab

NET = """<ir_version: 9, opset_import: ["" : 17]>
net (float[1,3,16,16] x) => (float[1,3] y) { a = Relu(x)  b = GlobalAveragePool(a)
  c = Flatten(b)  y = Softmax(c) }"""
PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Benchmark</title>
<link rel="icon" href="data:,"><onnx-bench src="/net/manifest.json"></onnx-bench>
<script type="module" src="/rt/bench/element.js"></script>"""
BENCH = "document.querySelector('onnx-bench')"
ROOT = f"{BENCH}.shadowRoot"
BUTTON = f"{ROOT}.querySelector('.run')"


@pytest.fixture(scope="module")
def pages(chromium: None, tmp_path_factory: pytest.TempPathFactory
          ) -> Iterator[tuple[PageServer, Tab]]:
    folder = tmp_path_factory.mktemp("net")
    press(onnx.parser.parse_model(NET), folder, Options(name="net"))
    saved = tmp_path_factory.mktemp("saved")
    with PageServer({"/page.html": PAGE, "/rt/": RUNTIME, "/net/": folder}) as host, \
            Tab(downloads=saved) as tab:
        host.folder = folder
        yield host, tab


def visit(host: PageServer, tab: Tab) -> None:
    host.requests.clear()
    tab.open(f"{host.url}/page.html")
    tab.wait(f"{ROOT}?.querySelector('.hint').textContent || "
             f"!{ROOT}?.querySelector('.fault').hidden")
    tab.js(f"{BENCH}.addEventListener('result', (event) => globalThis.got = event.detail)")


def rows(tab: Tab, selector: str) -> list[str]:
    return tab.js(f"[...{ROOT}.querySelectorAll('{selector}')].map((e) => e.innerText)")


def test_every_target_is_measured_once_the_visitor_asks(pages: tuple[PageServer, Tab]) -> None:
    host, tab = pages
    visit(host, tab)
    assert [path for path in host.requests if path.startswith("/net/")] == ["/net/manifest.json"]
    tab.js(f"{BUTTON}.click()")
    tab.wait(f"{BENCH}.getAttribute('state') == 'done'", 60)
    names = rows(tab, ".onnx-bar > span")
    assert set(names) == {"WebGPU", "WebAssembly", "JavaScript"}
    medians = tab.js("got.targets.map(({ run }) => run.median_ms)")
    shown = [float(text.split()[0]) for text in rows(tab, ".onnx-bar > b")]
    assert shown == sorted(shown) and len(medians) == 3
    manifest = json.loads((host.folder / "manifest.json").read_text())
    for name, target in (("WebAssembly", "wasm"), ("WebGPU", "webgpu")):
        tab.js(f"""(() => {{
          const select = {ROOT}.querySelector('.steps select');
          select.value = {names.index(name)};
          select.dispatchEvent(new Event('change'));
        }})()""")
        steps = [label for label, *_ in manifest["targets"][target]["steps"]]
        assert rows(tab, "tbody th") == [*steps, "total"]
    assert tab.logs == []

    tab.js(f"{ROOT}.querySelector('.foot .quiet').click()")
    path = Path(tab.downloads) / "onnxpress-net.json"
    tab.wait("new Promise((resolve) => setTimeout(resolve, 200, true))")
    assert json.loads(path.read_text()) == json.loads(tab.js("JSON.stringify(got)"))


def test_a_second_press_stops_it(pages: tuple[PageServer, Tab]) -> None:
    host, tab = pages
    visit(host, tab)
    tab.js(f"{BUTTON}.click(); {BUTTON}.click()")
    tab.wait(f"{BENCH}.getAttribute('state') == 'done'")
    assert rows(tab, ".onnx-bar") == [] and tab.js(f"{ROOT}.querySelector('.fault').hidden")
    assert tab.js(f"{BUTTON}.textContent") == "Run again" and tab.logs == []


def test_what_is_missing_is_a_sentence(pages: tuple[PageServer, Tab]) -> None:
    host, tab = pages
    gone = [lambda answer: (404, "text/plain", b"")] * 3
    host.faults["/net/manifest.json"] = gone
    visit(host, tab)
    assert "the server answered 404" in tab.js(f"{ROOT}.querySelector('.fault').innerText")
    host.faults.clear()


def test_a_target_that_fails_is_left_out_with_its_reason(pages: tuple[PageServer, Tab]) -> None:
    host, tab = pages
    visit(host, tab)
    tab.js("navigator.gpu.requestAdapter = async () => null")
    tab.js(f"{BUTTON}.click()")
    tab.wait(f"{BENCH}.getAttribute('state') == 'done'", 60)
    assert set(rows(tab, ".onnx-bar > span")) == {"WebAssembly", "JavaScript"}
    assert "WebGPU is left out: the browser found no usable GPU." in rows(tab, ".body .hint")
