"""All passes on whole nets: what is left, and that it still computes what the model says."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto
from onnxpress.graph.graph import Graph
from onnxpress.importer.model import import_model
from onnxpress.model.frontends.recipe import run_recipe
from onnxpress.ops import check_shapes
from onnxpress.ops.interpret import interpret
from onnxpress.passes import run_passes
from support.onnx_models import (
    OPTIMIZED,
    feeds,
    light,
    model,
    node,
    onnxruntime_outputs,
    style_net,
    tolerance,
)
from support.paths import RECIPES

SMALL = {"image": (1, 3, 64, 96)}


def lowered(net: ModelProto, shapes: dict | None = None) -> Graph:
    return run_passes(import_model(net, shapes or {}), lambda where, reason: None)


def recipe(name: str, **arguments: str) -> ModelProto:
    return run_recipe(RECIPES / f"{name}.py", arguments)


def operators(graph: Graph) -> dict[str, int]:
    """How often each operator stands in the graph; reshapes are aliases and do not count."""
    return dict(Counter(n.op for n in graph.nodes if n.op != "reshape"))


# Every batch norm, bias, activation, residual and pad is folded or fused; layout changes only at
# the ends. What remains apart has a reason: activations behind a concat (DenseNet, ShuffleNet's
# strided units), LRN's square and power, a channel shuffle's transpose.
LEFT = {
    "resnet50": {"transpose": 1, "conv2d": 53, "pool2d": 1, "reduce": 1, "matmul": 1},
    "mobilenet_v2": {"transpose": 1, "conv2d": 52, "reduce": 1, "matmul": 1},
    "fast_style": {"transpose": 2, "conv2d": 16, "normalize": 15, "resize2d": 2},
    "light/squeezenet": {"transpose": 1, "conv2d": 26, "pool2d": 3, "concat": 8, "reduce": 1,
                         "softmax": 1},
    "light/resnet50": {"transpose": 1, "conv2d": 53, "pool2d": 2, "matmul": 1, "softmax": 1},
    "light/bvlc_alexnet": {"transpose": 1, "conv2d": 5, "pool2d": 3, "pointwise": 4,
                           "window_sum": 2, "matmul": 3, "softmax": 1},
    "light/densenet121": {"transpose": 1, "conv2d": 121, "pool2d": 4, "pointwise": 62,
                          "concat": 58, "reduce": 1},
    "light/shufflenet": {"transpose": 1 + 16, "conv2d": 49, "pool2d": 5, "pointwise": 3,
                         "concat": 3, "matmul": 1, "softmax": 1},
    "light/inception_v1": {"transpose": 1, "conv2d": 57, "pool2d": 14, "pointwise": 4,
                           "window_sum": 2, "concat": 9, "matmul": 1, "softmax": 1},
    "style/multistyle26": {"transpose": 2, "conv2d": 18, "normalize": 18, "resize2d": 2,
                           "matmul": 1, "slice": 36},
    "style/arbitrary_predict": {"conv2d": 53, "reduce": 1, "pointwise": 2},
    "style/arbitrary_transform": {"conv2d": 42, "reduce": 26, "resize2d": 2, "pointwise": 41},
}


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left(name: str) -> None:
    family, _, short = name.rpartition("/")
    source = {"": recipe, "light": light, "style": style_net}[family]
    shapes = SMALL if short == "multistyle26" else {}
    assert operators(lowered(source(short), shapes)) == LEFT[name]


@pytest.mark.parametrize("name", OPTIMIZED)
def test_light_nets_keep_their_meaning(name: str) -> None:
    net = light(name)
    before, arrays = check_shapes(import_model(net)), feeds(net)
    after = run_passes(before, lambda where, reason: None)
    old, new, room = interpret(before, arrays), interpret(after, arrays), tolerance(before)
    for output, want in onnxruntime_outputs(net, arrays).items():
        assert want.std() > 0
        for one, other in ((old, want), (new, want), (new, old[output])):
            assert np.abs(one[output] - other).max() <= room * np.abs(want).max()


def test_conditional_instance_norm_keeps_its_meaning() -> None:
    before = import_model(style_net("multistyle26"), SMALL)
    after = run_passes(before, lambda where, reason: None)
    arrays = {"image": np.random.default_rng(1).random(SMALL["image"], np.float32),
              "style_weights": np.linspace(0, 0.1, 26, dtype=np.float32)}
    got, want = (interpret(graph, arrays)["stylized"] for graph in (after, before))
    assert np.abs(got - want).max() <= tolerance(before) * np.abs(want).max()


# --- quantized operators --------------------------------------------------------------------------

Q, DQ = "QuantizeLinear", "DequantizeLinear"


def quantized_operator(kind: str) -> ModelProto:
    """One operator between dequantize and quantize, the way converters write it."""
    random = np.random.default_rng(len(kind))
    weights = {
        "sx": np.float32(0.0213), "zx": np.int8(-7), "sy": np.float32(0.0327), "zy": np.int8(5),
        "so": np.float32({"Mul": 0.011, "GlobalAveragePool": 0.003}.get(kind, 0.0519)),
        "zo": np.int8(-9),
        "w": random.integers(-127, 128, (16, 8, 3, 3)).astype(np.int8),
        "sw": random.uniform(0.0005, 0.002, 16).astype(np.float32), "zw": np.zeros(16, np.int8),
        "b": random.integers(-9000, 9000, 16).astype(np.int32), "zb": np.zeros(16, np.int32),
    }
    weights["sb"] = weights["sx"] * weights["sw"]
    nodes = [node(DQ, "x sx zx", "xf"), node(DQ, "y sy zy", "yf"),
             node(DQ, "w sw zw", "wf", axis=0), node(DQ, "b sb zb", "bf", axis=0)]
    last = {
        "Conv": [node("Conv", "xf wf bf", "f", pads=[1] * 4)],
        "Conv+Relu": [node("Conv", "xf wf bf", "r", strides=[2, 2]), node("Relu", "r", "f")],
        "Concat": [node("Concat", "xf yf", "f", axis=1)],
        "MaxPool": [node("MaxPool", "xf", "f", kernel_shape=[2, 2])],
    }.get(kind, [node(kind, "xf yf" if kind in ("Add", "Mul", "Sub") else "xf", "f")])
    nodes += [*last, node(Q, "f so zo", "q")]
    for i, each in enumerate(nodes):
        each.name = str(i)
    shape = (1, 8, 17, 17)
    integer = dict.fromkeys("xy", TensorProto.INT8)
    net = model(nodes, {"x": shape, "y": shape}, ("q",), weights, types=integer)
    net.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("q", TensorProto.INT8, None))
    return net


KINDS = ("Conv", "Conv+Relu", "Add", "Mul", "Sub", "GlobalAveragePool", "Concat", "MaxPool",
         "Sigmoid")


@pytest.mark.parametrize("kind", KINDS)
def test_quantized_operator(kind: str) -> None:
    """At most one step from onnxruntime's integer kernel, and that only where its f32 meets a tie:
    the chance of that is the number of f32 roundings times epsilon times the 256 steps."""
    net = quantized_operator(kind)
    random = np.random.default_rng(3)
    arrays = {n: random.integers(-128, 128, (1, 8, 17, 17)).astype(np.int8) for n in "xy"}
    session = onnxruntime.InferenceSession(net.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    (want,) = session.run(None, arrays)
    got = interpret(lowered(net), arrays)["q"]
    assert np.ptp(want.astype(int)) > 16
    assert np.abs(got - want).max() <= 1
    assert np.count_nonzero(got != want) <= 1


def test_quantized_convolutions_are_exact_products_of_whole_numbers() -> None:
    graph = lowered(style_net("arbitrary_predict"))
    for each in graph.nodes:
        if each.op == "conv2d":
            assert each.attrs.exact
            assert not (graph.constants[each.inputs[1]] % 1).any()


@pytest.mark.parametrize("name", ["arbitrary_predict", "arbitrary_transform"])
def test_quantized_net(name: str) -> None:
    """Rounding to 8 bits is chaotic over a whole net; ours is no farther from onnxruntime than
    twice what onnxruntime's own output moves when its input is disturbed by one f32 rounding."""
    net = style_net(name)
    arrays = feeds(net)
    first = next(iter(arrays))
    random = np.random.default_rng(0)
    arrays[first] = random.random(arrays[first].shape, np.float32)
    noise = np.float32(1) + np.float32(1e-7) * random.standard_normal(arrays[first].shape)
    want, moved = (
        next(iter(onnxruntime_outputs(net, given).values()))
        for given in (arrays, {**arrays, first: (arrays[first] * noise).astype(np.float32)})
    )
    got = next(iter(interpret(lowered(net), arrays).values()))
    assert relative_l2(got, want) <= 2 * relative_l2(moved, want)


def relative_l2(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))
