"""How far a graph's results may be from exact ones: the rounding errors of its operators, as they
arrive at the outputs."""

from collections.abc import Mapping, Sequence

import numpy as np
from onnxpress.graph.expr import PRIMS, Expr
from onnxpress.graph.graph import Graph, Node
from onnxpress.ops import OPS, bound
from onnxpress.ops.interpret import interpret
from onnxpress.ops.pointwise import ULPS, Pointwise

EPSILON = float(np.finfo(np.float32).eps)
DRAWS = 6
# The largest of six random errors is at least a quarter of the worst one, but for a chance in
# thousands; a device and the yardstick may err to opposite sides.
MARGIN = 8


def room(graph: Graph, feeds: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Output -> its largest admitted difference, which random errors of all operators reach.

    A primitive of a pointwise operator errs by its `ulps`, relative to its value; any other
    operator by its `ulps` and one rounding, relative to its result's peak. Results that f32 holds
    stay where rounding to nearest is all that an operator does.
    """
    want = interpret(graph, feeds)
    found = {n: EPSILON * float(np.abs(a).max(initial=0)) for n, a in want.items()}
    for draw in range(DRAWS):
        for name, array in _Shaken(graph, draw).run(feeds).items():
            found[name] = max(found[name], float(np.abs(array - want[name]).max(initial=0)))
    return {name: MARGIN * size for name, size in found.items()}


class _Shaken:
    """One run of a graph with random errors."""

    def __init__(self, graph: Graph, seed: int) -> None:
        self.graph, self.random = graph, np.random.default_rng(seed)
        self.made: dict[str, np.ndarray] = {}

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return interpret(self.graph, feeds, watch=self._watch,
                         keep=lambda name, result: self.made.pop(name, result))

    def _watch(self, node: Node, operands: Sequence[np.ndarray],
               results: Sequence[np.ndarray]) -> None:
        if isinstance(node.attrs, Pointwise):
            with np.errstate(all="ignore"):
                value = self._value(node.attrs.expr, operands, {})
            self.made[node.name] = np.broadcast_to(value, results[0].shape)
            return
        ulps = OPS[node.op].ulps(bound(node, self.graph),
                                 [self.graph.shape(i) for i in node.inputs])
        if ulps:
            peak = float(np.abs(results[0]).max(initial=0))
            self.made[node.name] = self._err(results[0], peak, ulps + 1)

    def _value(self, expr: Expr, operands: Sequence[np.ndarray],
               memo: dict[Expr, np.ndarray]) -> np.ndarray:
        if expr.op == "input":
            return np.asarray(operands[int(expr.value)], np.float64)
        if expr.op == "const":
            return np.asarray(expr.value)
        if expr not in memo:
            value = np.asarray(PRIMS[expr.op].ref(
                *(self._value(a, operands, memo) for a in expr.args)), np.float64)
            memo[expr] = self._err(value, np.abs(value), ULPS.get(expr.op, 0))
        return memo[expr]

    def _err(self, value: np.ndarray, size: np.ndarray | float, ulps: float) -> np.ndarray:
        if not ulps or (ulps <= 1.5 and (value.astype(np.float32) == value).all()):
            return value
        return value + self.random.uniform(-1, 1, value.shape) * ulps * EPSILON * size
