"""The values in a graph in float64 on given inputs: outputs, ranges, means.

The ranges tell whether f16 arithmetic could hold every value of every step. The sum of a
convolution before its epilogue counts, and so do the parts of an expression. Sums over many values
(means, norms' statistics) are assumed to stay in f32, because f16 cannot even count beyond 2048.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..graph.expr import Expr, evaluate
from ..graph.graph import Graph, Node
from ..ops import own_operands
from ..ops.attrs import Product, epilogue_of
from ..ops.interpret import interpret
from ..ops.pointwise import Pointwise
from ..pack.proof import F16
from ..weights.encodings import fits_f16

F16_MAX = float(np.finfo(np.float16).max)
HEADROOM = 2  # a visitor's input may give values so many times the largest ones tried
HARMED = 1 / 32  # of a step's peak; f16 rounds in the eleventh bit, and an overflow shows sooner
# Means are kept to so many bits, so that another processor's order of sums gives the same means.
MEAN_BITS = 11
# A mean is over at least so many pixels of an input. Over one pixel, as behind a global pool, a
# corrected bias would take away the whole error on the inputs of the proof, and not its mean.
LEAST_PIXELS = 16


@dataclass(frozen=True)
class Trace:
    """Facts about the values in a graph.

    `outputs`: for each input, in the graph's order; `further`: for each further input. `peaks`:
    step -> the largest magnitude that it computes, on all of them. `means`: convolution or matrix
    product over LEAST_PIXELS -> its mean input, [C]. `ranges`: value -> for each share in COVERED,
    bounds of that share of its elements. `powers`: value -> its mean square.
    """

    outputs: Sequence[Sequence[np.ndarray]]
    further: Sequence[Sequence[np.ndarray]]
    peaks: Mapping[str, float]
    means: Mapping[str, np.ndarray]
    ranges: Mapping[str, np.ndarray]
    powers: Mapping[str, float]


def trace(graph: Graph, inputs: Sequence[Mapping[str, np.ndarray]],
          further: Sequence[Mapping[str, np.ndarray]] = ()) -> Trace:
    """The facts about `graph` over all `inputs`, which are like a visitor's, and the peaks and
    outputs for `further` ones."""
    peaks: dict[str, float] = {}
    sums: dict[str, np.ndarray] = {}
    ranges: dict[str, np.ndarray] = {}
    squares: dict[str, float] = {}

    def measure(name: str, values: np.ndarray) -> None:
        if np.ndim(values) > 1 and np.size(values):
            ranges[name] = _wider(ranges.get(name), values)
            squares[name] = squares.get(name, 0.0) + float(np.square(values).mean())

    def largest(node: Node, operands: Sequence[np.ndarray], results: Sequence[np.ndarray]) -> None:
        step = node.name.removesuffix(BARE)
        peak = max(_magnitude(r) for r in results)
        if isinstance(node.attrs, Pointwise):
            peak = max(peak, _largest_part(node.attrs.expr, operands))
        if isinstance(node.attrs, Product):
            peak = max(peak, _magnitude(operands[1]))
        peaks[step] = max(peaks.get(step, 0.0), peak)

    def watch(node: Node, operands: Sequence[np.ndarray], results: Sequence[np.ndarray]) -> None:
        largest(node, operands, results)
        step = node.name.removesuffix(BARE)
        if step == node.name:
            for name, values in zip(node.outputs, results, strict=True):
                measure(name, values)
        if isinstance(node.attrs, Product):
            x = operands[0].reshape(-1, operands[0].shape[-1])
            if len(x) >= LEAST_PIXELS:
                sums[step] = sums.get(step, 0.0) + x.mean(0)

    apart = split_epilogues(graph)
    for feeds in inputs:
        for name in graph.inputs:
            measure(name, np.asarray(feeds[name], np.float64))
    outputs = [list(interpret(apart, feeds, watch).values()) for feeds in inputs]
    others = [list(interpret(apart, feeds, largest).values()) for feeds in further]
    return Trace(outputs, others, peaks, {n: _coarse(s / len(inputs)) for n, s in sums.items()},
                 {n: _coarse(r) for n, r in ranges.items()},
                 {n: float(_coarse(np.asarray(s / len(inputs)))) for n, s in squares.items()})


def _wider(known: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    """f64[COVERED][low, high]: the bounds `known`, widened to hold `values`. Bounds of a share
    below 1 are found on about LOOKED_AT of the elements."""
    flat = np.ravel(values)
    some = np.sort(flat[:: -(-flat.size // LOOKED_AT)])
    rest = int((1 - COVERED[1]) * some.size)
    found = np.array([(flat.min(), flat.max()), (some[rest], some[-1 - rest])])
    if known is None:
        return found
    return np.stack((np.minimum(known[:, 0], found[:, 0]), np.maximum(known[:, 1], found[:, 1])), 1)


def f16_range(graph: Graph, peaks: Mapping[str, float]) -> F16:
    """Whether f16 can hold the values of every step, with HEADROOM, and all weights. `layer` has
    the largest values, or else weights that are too small for f16."""
    limit = F16_MAX / HEADROOM
    layer = max(peaks, key=peaks.__getitem__, default="")
    unfit = [node.name for node in graph.nodes if isinstance(node.attrs, Product)
             and any(not fits_f16(graph.constants[n]) for n in node.inputs[1:2]
                     if n in graph.constants)]
    holds = peaks.get(layer, 0.0) <= limit
    if holds and unfit:
        holds, layer = False, unfit[0]
    peak = float(f"{min(peaks.get(layer, 0.0), float(np.finfo(np.float32).max)):.4g}")
    return F16(holds, layer, peak, limit)


# Shares of a value's elements that a range may cover: all of them, or all without outliers. Losing
# outliers may cost less than coarser steps for all other elements.
COVERED = (1.0, 0.9999)
LOOKED_AT = 1 << 17
BARE = "#sum"  # ends the name of a step before its epilogue


def split_epilogues(graph: Graph) -> Graph:
    """The graph with every epilogue as a node of its own, so that its operand is seen."""
    nodes: list[Node] = []
    values = dict(graph.values)
    for node in graph.nodes:
        epilogue = epilogue_of(node)
        if epilogue is None:
            nodes.append(node)
            continue
        own, bare = own_operands(node), node.name + BARE
        values[bare] = graph.values[node.name]
        plain = replace(node, inputs=node.inputs[:own], outputs=(bare,))
        nodes.append(plain.with_attrs(epilogue=None))
        nodes.append(Node(Pointwise(expr=epilogue), (bare, *node.inputs[own:]), node.outputs))
    return Graph(graph.inputs, graph.outputs, tuple(nodes), values, graph.constants)


def _magnitude(array: np.ndarray) -> float:
    """The largest magnitude, without a copy: weights may take a gigabyte in float64."""
    ends = np.abs([array.min(initial=0.0), array.max(initial=0.0)])
    return float(np.nan_to_num(ends.max(), nan=np.inf))


def _largest_part(expr: Expr, operands: Sequence[np.ndarray]) -> float:
    """The largest magnitude inside the expression.

    It is 0 where an overflow would change nothing: an exponential that becomes infinite below a
    fraction's bar still gives 0.
    """
    parts: dict[Expr, np.ndarray] = {}
    exact = evaluate(expr, [np.asarray(a, np.float64) for a in operands], parts)
    peak = max((_magnitude(v) for e, v in parts.items() if e.args), default=0.0)
    if peak <= F16_MAX / HEADROOM:
        return peak
    with np.errstate(all="ignore"):
        rough = np.asarray(evaluate(expr, [_half(a) for a in operands]), np.float64)
        error = np.abs(rough - exact)
    return 0.0 if _magnitude(error) <= HARMED * _magnitude(exact) else peak


def _half(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.asarray(array).astype(np.float16)


def _coarse(values: np.ndarray) -> np.ndarray:
    """`values` rounded to MEAN_BITS significant bits."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(mantissa, MEAN_BITS)), exponent - MEAN_BITS)
