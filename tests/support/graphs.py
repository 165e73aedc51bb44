"""Graphs written by hand, for tests of passes, planners and code generators."""

from typing import Any

import numpy as np
from onnxpress.graph.graph import Graph, Node, Value, check
from onnxpress.ops import OPS
from onnxpress.ops.interpret import interpret


class Draw:
    """Draws a graph node by node; shapes follow from OPS, constants are seeded."""

    def __init__(self, seed: int = 1) -> None:
        self.random = np.random.default_rng(seed)
        self.names: list[str] = []
        self.nodes: list[Node] = []
        self.values: dict[str, Value] = {}
        self.constants: dict[str, np.ndarray] = {}

    def input(self, name: str, *shape: int) -> str:
        self.names.append(name)
        self.values[name] = Value(shape)
        return name

    def constant(self, name: str, array: Any) -> str:
        self.constants[name] = np.asarray(array, np.float32)
        self.values[name] = Value(self.constants[name].shape)
        return name

    def weights(self, name: str, *shape: int) -> str:
        return self.constant(name, self.random.standard_normal(shape))

    def node(self, op: str, name: str, *inputs: str, shape: tuple[int, ...] | None = None,
             dtype: str = "f32", **attrs: Any) -> str:
        """Adds a node; `shape` is stated for slice, expand and reshape."""
        (name,) = self.outputs(op, (name,), *inputs, shape=shape, dtype=dtype, **attrs)
        return name

    def outputs(self, op: str, names: tuple[str, ...], *inputs: str,
                shape: tuple[int, ...] | None = None, dtype: str = "f32", **attrs: Any
                ) -> tuple[str, ...]:
        """Adds a node with several outputs."""
        node = Node(OPS[op].attrs(**attrs), inputs, names)
        asked = node if shape is None else node.with_attrs(shape=shape)
        inferred = OPS[op].infer(asked, [self.values[n].shape for n in inputs])
        self.nodes.append(node)
        self.values.update({name: Value(tuple(own), dtype)
                            for name, own in zip(names, inferred, strict=True)})
        return names

    def conv(self, name: str, x: str, kernel: int, o: int, stride: int = 1, pad: int = 0,
             groups: int = 1) -> str:
        """A convolution of NHWC `x` with seeded weights."""
        c = self.values[x].shape[3]
        w = self.weights(f"{name}.w", kernel, kernel, c // groups, o)
        b = self.weights(f"{name}.b", o)
        return self.node("conv2d", name, x, w, b, strides=(stride, stride), pads=(pad,) * 4,
                         dilations=(1, 1), groups=groups, pad_mode="zero")

    def nchw_conv(self, name: str, x: str, kernel: int, o: int, **options: int) -> str:
        """The same as the importer writes it for NCHW `x`."""
        moved = self.node("transpose", f"{name}.nhwc", x, perm=(0, 2, 3, 1))
        out = self.conv(f"{name}.conv", moved, kernel, o, **options)
        return self.node("transpose", name, out, perm=(0, 3, 1, 2))

    def graph(self, *outputs: str) -> Graph:
        return check(Graph(tuple(self.names), outputs, tuple(self.nodes), dict(self.values),
                           dict(self.constants)), "drawing")


def sample_inputs(graph: Graph, seed: int = 7) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {n: random.standard_normal(graph.shape(n)) for n in graph.inputs}


def distance(before: Graph, after: Graph, feeds: dict[str, np.ndarray] | None = None) -> float:
    """The largest difference of any output, relative to that output's peak."""
    feeds = sample_inputs(before) if feeds is None else feeds
    old, new = interpret(before, feeds), interpret(after, feeds)
    assert list(old) == list(new)
    worst = 0.0
    for name in old:
        assert old[name].shape == new[name].shape
        peak = max(float(np.abs(old[name]).max()), 1e-30)
        worst = max(worst, float(np.abs(old[name] - new[name]).max()) / peak)
    return worst
