"""Small ONNX files that ask for enormous work or memory: name -> the model."""

from collections.abc import Callable, Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from .onnx_models import ints, model, node

X = {"x": [1, 4]}
IMAGE = {"x": [1, 3, 8, 8]}


def _expand(size: int) -> onnx.ModelProto:
    return model([node("Expand", "x s", "e"), node("ReduceSum", "e", keepdims=0)], {"x": [1]},
                 weights={"s": ints(size)})


def _tile() -> onnx.ModelProto:
    return model([node("Tile", "x r", "t"), node("ReduceSum", "t", keepdims=0)], X,
                 weights={"r": ints(10_000, 25_000)})


def _one_hot() -> onnx.ModelProto:
    weights = {"d": np.array(1_000_000_000, np.int64), "v": np.array([0, 1], np.float32)}
    return model([node("OneHot", "x d v")], {"x": [1]}, weights=weights,
                 types={"x": TensorProto.INT64})


def _outer() -> onnx.ModelProto:
    return model([node("MatMul", "a b", "m"), node("ReduceMax", "m", keepdims=0)],
                 {"a": [30_000, 1], "b": [1, 30_000]})


def _product(n: int) -> onnx.ModelProto:
    return model([node("MatMul", "a b")], {"a": [n, n], "b": [n, n]})


def _pads(size: int) -> onnx.ModelProto:
    return model([node("Conv", "x w", pads=[size] * 4)], IMAGE,
                 weights={"w": np.ones((8, 3, 3, 3), np.float32)})


def _dilation() -> onnx.ModelProto:
    return model([node("Conv", "x w", dilations=[10**9, 1], pads=[10**9, 0, 10**9, 0])], IMAGE,
                 weights={"w": np.ones((4, 3, 3, 1), np.float32)})


def _strides(op: str) -> onnx.ModelProto:
    if op == "Conv":
        return model([node("Conv", "x w", strides=[2**31, 1])], IMAGE,
                     weights={"w": np.ones((1, 3, 1, 1), np.float32)})
    return model([node(op, "x", kernel_shape=[1, 1], strides=[2**31, 2])], IMAGE)


def _pool() -> onnx.ModelProto:
    return model([node("AveragePool", "x", kernel_shape=[30_000, 30_000],
                       pads=[29_999] * 4)], IMAGE)


def _doubling(depth: int) -> onnx.ModelProto:
    """Functions each of which calls the one before twice: 2^depth operators once inlined."""
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
    functions = [helper.make_function("my", "F0", ["a"], ["b"], [
        helper.make_node("Abs", ["a"], ["b"])], imports)]
    for i in range(1, depth):
        calls = [helper.make_node(f"F{i - 1}", [a], [b], domain="my")
                 for a, b in (("a", "c"), ("c", "b"))]
        functions.append(helper.make_function("my", f"F{i}", ["a"], ["b"], calls, imports))
    net = model([], X, opset=17)
    net.graph.node.append(helper.make_node(f"F{depth - 1}", ["x"], ["y"], domain="my"))
    net.opset_import.append(imports[1])
    net.functions.extend(functions)
    return net


BOMBS: Mapping[str, Callable[[], onnx.ModelProto]] = {
    "a value of 10^9 elements": lambda: _expand(10**9),
    "a value of 3 * 10^8 elements": lambda: _expand(3 * 10**8),
    "repeats": _tile,
    "one-hot vectors of 10^9": _one_hot,
    "an outer product": _outer,
    "a product of 20,000^3": lambda: _product(20_000),
    "wide pads": lambda: _pads(20_000),
    "a dilation of 10^9": _dilation,
    "a stride of 2^31 in Conv": lambda: _strides("Conv"),
    "a stride of 2^31 in MaxPool": lambda: _strides("MaxPool"),
    "a window of 30,000^2": _pool,
    "LRN over 10^9 channels": lambda: model([node("LRN", "x", size=10**9)], IMAGE),
    "functions that double": lambda: _doubling(30),
    "a triangle of 30,000^2": lambda: model(
        [node("Expand", "x s", "e"), node("Trilu", "e", "t"), node("ReduceMax", "t", keepdims=0)],
        {"x": [1, 1]}, weights={"s": ints(30_000, 30_000)}, opset=14),
}
