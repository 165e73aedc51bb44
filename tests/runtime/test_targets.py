"""A compiled pack through load() on every target, in the page and in a worker."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxpress.compiler import Options, compile_model
from support.page_server import PageServer
from support.paths import PAGES
from support.tab import Tab

RNG = np.random.default_rng(5)
IMAGE = RNG.random((1, 3, 20, 24), np.float32)
INDEX = np.array([1], np.int64)


def small_net() -> onnx.ModelProto:
    """A convolution, its pooled rows picked by an integer input, a product, and an argmax."""
    weights = {
        "w": RNG.normal(size=(8, 3, 3, 3)), "b": RNG.normal(size=8), "m": RNG.normal(size=(8, 70)),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("HardSwish", ["c"], ["h"]),
        helper.make_node("ReduceMean", ["h"], ["p"], axes=[2], keepdims=0),
        helper.make_node("Gather", ["p", "index"], ["g"], axis=2),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("MatMul", ["f", "m"], ["scores"]),
        helper.make_node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes, "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, IMAGE.shape),
         helper.make_tensor_value_info("index", TensorProto.INT64, INDEX.shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, (1, 70)),
         helper.make_tensor_value_info("best", TensorProto.INT64, (1,))],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    onnx.save(small_net(), folder / "small.onnx")
    compile_model(folder / "small.onnx", folder / "out", Options(name="small"))
    return folder / "out"


@pytest.fixture(scope="module")
def tab(chromium: None, pack: Path) -> Iterator[Tab]:
    with PageServer({"/pages/": PAGES, "/": pack}) as host, Tab() as tab:
        tab.open(host.url + "/pages/plain.html")
        yield tab


@pytest.mark.parametrize("worker", [False, True], ids=["page", "worker"])
@pytest.mark.parametrize("target", ["webgpu", "wasm", "js"])
def test_a_compiled_model_agrees_with_onnxruntime(
        tab: Tab, pack: Path, target: str, worker: bool) -> None:
    got = tab.js(f"""(async () => {{
      const {{ load }} = await import("/onnxpress.js");
      const options = {json.dumps({"target": target, "worker": worker})};
      const model = await load("/manifest.json", options);
      const image = new Float32Array({json.dumps(IMAGE.ravel().tolist())});
      const out = await model.run({{ image, index: new BigInt64Array([1n]) }});
      const steps = await model.profile({{ image, index: new BigInt64Array([1n]) }});
      model.dispose();
      return {{ scores: [...out.scores], best: String(out.best), steps: steps.length,
        target: model.target, kinds: Object.values(out).map((a) => a.constructor.name) }};
    }})()""")
    session = onnxruntime.InferenceSession(pack.parent / "small.onnx",
                                           providers=["CPUExecutionProvider"])
    scores, best = session.run(None, {"image": IMAGE, "index": INDEX})
    assert np.abs(np.array(got["scores"]) - scores.ravel()).max() <= 1e-4 * np.abs(scores).max()
    assert got["best"] == str(best[0])
    assert got["kinds"] == ["Float32Array", "BigInt64Array"]
    assert got["target"] == target and got["steps"] > 0
