"""Several threads in Chromium: the bits of one thread, and one thread where several cannot run."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import wasmtime
from onnx import TensorProto, helper, numpy_helper
from onnxpress.browser import find_chromium
from onnxpress.compiler import Options, compile_model
from onnxpress.runtime_files import RUNTIME
from page_server import PageServer
from tab import Tab

THREAD = RUNTIME / "backends/thread.js"
PAGES = Path(__file__).parent / "pages"
CSP = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob:"
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp"}
RUN = "run: () => exports.run(...place)"
OPEN = """
  const { load } = await import("/site/docs/onnxpress.js");
  const image = Float32Array.from({ length: 3 * 37 * 33 }, (_, i) => Math.sin(i * i));
  const open = (threads, more) => load("/site/docs/manifest.json",
    { target: "wasm", threads, ...more });
  const bits = async (model) => {
    const { scores } = await model.run({ image });
    return [...new Int32Array(scores.buffer, scores.byteOffset, scores.length)].join();
  };
"""


def net() -> onnx.ModelProto:
    """Winograd, depthwise and strided convolutions, an instance norm, a resize and a product."""
    random = np.random.default_rng(9)
    shapes = {"w0": (16, 3, 3, 3), "w1": (24, 16, 3, 3), "w2": (24, 1, 3, 3), "w3": (3, 24, 5, 5),
              "s": (24,), "t": (24,), "m": (3, 37)}
    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["c0"], pads=[1] * 4),
        helper.make_node("Conv", ["c0", "w1"], ["c1"], pads=[1] * 4),
        helper.make_node("InstanceNormalization", ["c1", "s", "t"], ["n"]),
        helper.make_node("Conv", ["n", "w2"], ["c2"], pads=[1] * 4, strides=[2, 2], group=24),
        helper.make_node("HardSwish", ["c2"], ["h"]),
        helper.make_node("Conv", ["h", "w3"], ["c3"], pads=[2] * 4),
        helper.make_node("ReduceMean", ["c3"], ["p"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["p", "m"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 37, 33))],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, (1, 37))],
        [numpy_helper.from_array(random.normal(size=v, scale=0.3).astype(np.float32), k)
         for k, v in shapes.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """A pack on a path below the root, with the documented policy."""
    folder = tmp_path_factory.mktemp("pack")
    onnx.save(net(), folder / "net.onnx")
    compile_model(folder / "net.onnx", folder / "out", Options(name="net", targets=("wasm", "js")))
    headers = {"Content-Security-Policy": CSP, **ISOLATED}
    with PageServer({"/pages/": PAGES, "/site/docs/": folder / "out"}, headers) as site:
        yield site


@pytest.fixture
def page(site: PageServer, tab: Tab) -> Tab:
    if not find_chromium():
        pytest.skip("no Chromium; see tests/chromium.py")
    site.headers |= ISOLATED
    tab.open(site.url + "/pages/plain.html")
    return tab


def test_the_barrier_is_what_its_text_says() -> None:
    text = THREAD.read_text()
    wat = "\n".join(re.findall(r"^// ((?:\(module|  ).*)$", text, re.MULTILINE))
    listed = re.search(r"BARRIER = \[(.*?)\];", text, re.DOTALL)[1]
    assert wasmtime.wat2wasm(wat) == bytes(int(n) for n in re.findall(r"\d+", listed))


def test_real_threads_agree_to_the_last_bit(page: Tab) -> None:
    got = page.js(f"""(async () => {{ {OPEN}
      const found = [];
      for (const threads of [1, 2, 3, 7]) {{
        for (const worker of [false, true]) {{
          const model = await open(threads, {{ worker }});
          const runs = [await bits(model), await bits(model)];
          const steps = await model.profile({{ image }});
          found.push({{ asked: threads, threads: model.threads, runs, steps: steps.length,
            reason: model.reason, notes: model.notes }});
          model.dispose();
        }}
      }}
      return found;
    }})()""")
    assert len({bits for row in got for bits in row["runs"]}) == 1
    assert all(row["threads"] == row["asked"] and not row["notes"] for row in got)
    assert got[0]["steps"] == got[-1]["steps"] > 8
    assert got[-1]["reason"].startswith("WebAssembly on 7 threads, ")


def test_a_small_net_stays_on_one_thread(page: Tab) -> None:
    assert page.js(f"""(async () => {{ {OPEN} const model = await open("auto");
      model.dispose(); return [model.threads, model.notes]; }})()""") == [1, []]


def test_without_isolation_one_thread_runs(site: PageServer, page: Tab) -> None:
    for name in ISOLATED:
        del site.headers[name]
    page.open(site.url + "/pages/plain.html")
    threads, notes = page.js(f"""(async () => {{ {OPEN} const model = await open(4);
      await bits(model); model.dispose(); return [model.threads, model.notes]; }})()""")
    assert threads == 1
    assert notes == ["Several threads need a page that is cross-origin isolated; one thread runs."]


@pytest.mark.parametrize("worker", [False, True], ids=["page", "worker"])
@pytest.mark.parametrize("fault", ["missing", "failing"])
def test_one_thread_takes_over(site: PageServer, page: Tab, fault: str, worker: bool) -> None:
    """`failing`: all threads but the first die in a run, and the first waits for them."""
    script, path = THREAD.read_text(), "/site/docs/backends/thread.js"
    assert RUN in script
    dying = script.replace(RUN, f"run() {{ if (place[0]) throw Error('too little'); {RUN[11:]} }}")
    answer = {"missing": (404, "text/html", b""),
              "failing": (200, "text/javascript", dying.encode())}
    site.faults[path] = [lambda _: answer[fault]] * 3
    got = page.js(f"""(async () => {{ {OPEN}
      const found = [];
      const model = await open(3, {{ worker: {json.dumps(worker)},
        onFallback: ({{ from, to }}) => found.push([from, to]) }});
      const several = await bits(model);
      model.dispose();
      return {{ found, threads: model.threads, target: model.target, notes: model.notes,
        same: several === await bits(await open(1)) }};
    }})()""")
    site.faults.pop(path)
    assert got["found"] == [["wasm", "wasm"]]
    assert (got["threads"], got["target"], got["same"]) == (1, "wasm", True)
    assert got["notes"][0].startswith("WebAssembly on 3 threads failed: a thread has failed (")


def test_dispose_ends_a_run_and_its_threads(page: Tab) -> None:
    got = page.js(f"""(async () => {{ {OPEN}
      const ended = [], {{ terminate }} = Worker.prototype;
      Worker.prototype.terminate = function () {{ ended.push(this); terminate.call(this); }};
      const model = await open(3);
      const waiting = model.run({{ image }}).then(() => "ran", (error) => error.code);
      await null; await null;
      model.dispose();
      const after = await model.run({{ image }}).catch((error) => error.code);
      return [await waiting, after, ended.length];
    }})()""")
    assert got == ["disposed", "disposed", 3]
