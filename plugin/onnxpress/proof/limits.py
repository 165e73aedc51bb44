"""How far each element of an output may be from the graph in float64.

An element's limit follows from what moves it, never from the peak of an output that may be silent:

- Rounding. The graph runs once more, and each result is rounded to the type that a target keeps,
  plus noise of that type's size (Monte Carlo arithmetic: D. S. Parker, 1997). A result that adds up
  n terms gets noise of sqrt(n) roundings, since roundings of one sum are nearly independent
  (N. Higham and T. Mary, "A new approach to probabilistic rounding error analysis", 2019); n is
  `ulps` of the operator's row. So an element that cancels, and an output behind an unstable step,
  get what f32 can keep there, and no more.
- The chain. Relative errors u * sqrt(n) of all steps add up to u * sqrt(sum of n) of the element.
- Between onnxruntime and the graph also the distance between onnxruntime with and without its
  optimizations, and the rounding to f16 where the model says so.

An element has what moved it, or what moved elements of like size if that is more: so no element is
held to its own luck.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ..graph.expr import evaluate
from ..graph.graph import Graph, Node
from ..ops import OPS, bound
from ..ops.conv import Conv2d
from ..ops.interpret import interpret
from ..ops.pointwise import Pointwise, primitives
from ..ops.reduce import Normalize
from .trace import split_epilogues

Arrays = Mapping[str, np.ndarray]

UNIT = 2.0**-24  # half an ulp of f32 at 1: the most that one rounding moves a number, relatively
UNIT_F16 = 2.0**-11
# Normal errors stay within 6 standard deviations in all but one of 5e8 elements.
DEVIATIONS = 6
# Another f32 implementation (Winograd, fused multiply-adds, another order) may be a few times as
# far from float64 as this one. Source: decision 0006.
IMPLEMENTATIONS = 4
ROOM = DEVIATIONS * IMPLEMENTATIONS
# How much more Winograd's F(4x4, 3x3) rounds than direct sums, as a root mean square over a tile.
# The products round independently, so it is sqrt(sum of A^2 B^2 G^2 / 9). Source of the matrices A,
# B, G: A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks", 2015.
WINOGRAD = 11
LEAST = 64  # elements of like size whose mean square is taken; it is then within a third
# Targets may take smaller numbers for 0. Sources: WGSL, section 15.7.2; IEEE 754.
SMALLEST, SMALLEST_F16 = 2.0**-126, 2.0**-24
# Primitives that a library may compute as a polynomial or a quotient near 1: their error is then a
# rounding of 1, however small the result is. onnxruntime's logistic function is an example.
ABOUT_ONE = {"exp", "tanh", "erf"}
TINY = -160  # the binary exponent below all f32 numbers; 0 counts as such
F32_MAX = float(np.finfo(np.float32).max)


def rounded(graph: Graph, feeds: Arrays, seed: int, library: bool = False) -> list[np.ndarray]:
    """The outputs of `graph` in float64, where each result of a step carries rounding noise of f32.
    `library`: as another library computes it, which rounds values of the model's type f16 to f16
    and has functions of its own; see ABOUT_ONE."""
    apart, random = split_epilogues(graph), np.random.default_rng(seed)
    kept: dict[str, np.ndarray] = {}

    def is_half(name: str) -> bool:
        return library and apart.values[name].dtype == "f16"

    def watch(node: Node, operands: Sequence[np.ndarray], results: Sequence[np.ndarray]) -> None:
        ulps = OPS[node.op].ulps(bound(node, apart), [np.shape(o) for o in operands])
        for name, exact in zip(node.outputs, results, strict=True):
            dtype = np.float16 if is_half(name) else np.float32
            result = _in_type(node, operands, exact, dtype)
            # Kernels of f16 add up in f32.
            terms = min(ulps, 1.0) if dtype is np.float16 else ulps * _factor(node, operands)
            least = UNIT if library and _about_one(node) else _inside(node, operands)
            kept[name] = _noisy(result, terms, dtype, random, least) if ulps else result

    given = {name: _noisy(np.asarray(feeds[name], np.float64), 1.0,
                          np.float16 if is_half(name) else np.float32, random)
             if apart.values[name].dtype.startswith("f") else feeds[name] for name in graph.inputs}
    with np.errstate(all="ignore"):
        return list(interpret(apart, given, watch, keep=lambda name, _: kept.pop(name)).values())


def _in_type(node: Node, operands: Sequence[np.ndarray], exact: np.ndarray, dtype: type
             ) -> np.ndarray:
    """The step's result, computed in `dtype` where it is an expression, else rounded to it."""
    if isinstance(node.attrs, Pointwise):
        parts = [np.asarray(o).astype(dtype) for o in operands]
        exact = np.broadcast_to(evaluate(node.attrs.expr, parts), np.shape(exact))
    return np.asarray(exact).astype(dtype).astype(np.float64)


def has_functions(graph: Graph) -> bool:
    """Whether a library may compute a step of `graph` with functions of its own; see ABOUT_ONE."""
    return any(map(_about_one, split_epilogues(graph).nodes))


def ends_about_one(graph: Graph, output: str) -> bool:
    """Whether the last step before an output, apart from moves, is such a function: then another
    library's result may be a rounding of 1 off, or 0 where it stops early."""
    makers, name = split_epilogues(graph).producers(), output
    while name in makers and (OPS[makers[name].op].moves or not OPS[makers[name].op].kernel):
        name = makers[name].inputs[0]
    return name in makers and _about_one(makers[name])


def rounds(graph: Graph) -> bool:
    """Whether a step of `graph` makes whole numbers of fractions."""
    def fractions(node: Node) -> bool:
        sums = not isinstance(node.attrs, Pointwise) and OPS[node.op].ulps(
            bound(node, graph), [graph.shape(i) for i in node.inputs]) > 0
        return sums or any(graph.values[n].dtype[0] == "f" for n in node.inputs)

    return any(fractions(node) for node in graph.nodes
               if any(graph.values[n].dtype[0] in "iu" for n in node.outputs))


def _about_one(node: Node) -> bool:
    return isinstance(node.attrs, Pointwise) and bool(
        ABOUT_ONE.intersection(primitives(node.attrs.expr)))


def _factor(node: Node, operands: Sequence[np.ndarray]) -> float:
    """What a kernel may add to the square of a sum's rounding."""
    if not isinstance(node.attrs, Conv2d) or node.attrs.groups != 1:
        return 1.0
    sides = np.shape(operands[1])[:2]
    return WINOGRAD**2 if set(node.attrs.strides) == {1} and max(sides) <= 3 < sum(sides) else 1.0


def _inside(node: Node, operands: Sequence[np.ndarray]) -> float | np.ndarray:
    """The rounding of values inside a step that are larger than its result: a norm subtracts a mean
    before or after it has scaled."""
    if not isinstance(node.attrs, Normalize):
        return 0.0
    x, scale = (np.asarray(o, np.float64) for o in operands[:2])
    spread = np.sqrt(x.var(node.attrs.axes, keepdims=True) + node.attrs.eps)
    return UNIT * np.abs(x * scale / spread)


def _noisy(values: np.ndarray, ulps: float, dtype: type, random: np.random.Generator,
           least: float | np.ndarray = 0.0) -> np.ndarray:
    """`values` plus noise of sqrt(ulps) roundings, each relative to the element or to the root mean
    square of its channel, whichever is larger: a sum that cancels has rounded larger numbers. The
    noise is at least as large as `least`."""
    unit = UNIT_F16 if dtype is np.float16 else UNIT
    size = np.abs(values)
    if ulps > 4 and values.ndim > 1:  # a sum, not an expression of few terms
        axes = tuple(range(values.ndim - 1))
        size = np.maximum(size, np.sqrt(np.mean(np.square(values), axis=axes, keepdims=True)))
    noise = random.random(np.shape(values), np.float32) - np.float32(0.5)
    scale = np.maximum(np.sqrt(max(ulps, 1.0)) * unit * size, least)
    moved = values + np.sqrt(12.0) * scale * noise
    return moved.astype(dtype).astype(np.float64)


def chain(graph: Graph, half: bool = False) -> float:
    """The relative error that the roundings of all steps add up to; see `rounded`."""
    terms = sum(OPS[n.op].ulps(bound(n, graph), [graph.shape(i) for i in n.inputs])
                for n in graph.nodes)
    halves = sum(graph.values[name].dtype == "f16" for n in graph.nodes for name in n.outputs)
    return float(np.hypot(UNIT * np.sqrt(terms + 1), UNIT_F16 * np.sqrt(halves) * half))


def limit(exact: np.ndarray, moved: Sequence[np.ndarray], share: float,
          least: float = SMALLEST) -> np.ndarray:
    """f64, flat: how far each element of `exact` may be off. `moved`: other results that are as
    right. `share`: relative error of every element. `least`: absolute error of every element.
    Infinite where one of `moved` is not finite, for there the type of a target ends."""
    exact = np.ravel(exact)
    off = np.zeros(exact.shape)
    held = np.abs(exact) <= F32_MAX
    for other in moved:
        other = np.ravel(other)
        held &= np.isfinite(other)
        off += np.square(np.where(held, other, 0.0) - np.where(held, exact, 0.0))
    off = np.where(held, off / max(len(moved), 1), 0.0)
    size = np.where(held, np.abs(exact), 0.0)
    own = np.maximum(np.sqrt(off), share * size)  # it may move more than its like: they saturate
    limits = ROOM * np.maximum(_shared(size, off, held), own) + least
    return np.where(held | ~np.isfinite(exact), limits, np.inf)


def _shared(size: np.ndarray, off: np.ndarray, held: np.ndarray) -> np.ndarray:
    """For each element, the root of the mean of `off`, squares of distances, over elements of its
    binary exponent; neighbouring exponents join until LEAST elements are together. The largest
    elements of a group may move in proportion to their size."""
    exponents = np.where(size > 0, np.frexp(size)[1], TINY)
    exponents = np.maximum(exponents, TINY) - TINY
    counts = np.bincount(exponents, held, minlength=1)
    groups, group, count = np.zeros(len(counts), int), 0, 0.0
    for k in reversed(range(len(counts))):  # from the largest elements on
        if count >= LEAST and counts[:k + 1].sum() >= LEAST:
            group, count = group + 1, 0.0
        groups[k], count = group, count + counts[k]
    at = groups[exponents]
    amount = np.maximum(np.bincount(at, held, group + 1), 1)
    mean = np.bincount(at, off, group + 1) / amount
    power = np.bincount(at, np.square(size), group + 1) / amount
    large = held & (np.square(size) >= power[at]) & (size > 0)
    shares = np.where(large, off / np.where(large, np.square(size), 1.0), 0.0)
    share = np.bincount(at, shares, group + 1) / np.maximum(np.bincount(at, large, group + 1), 1)
    return np.sqrt(np.maximum(mean[at], share[at] * np.square(size)))


def beyond(exact: np.ndarray, dtype: str) -> np.ndarray:
    """bool, flat: which elements leave the range of an integer type; ONNX does not say what they
    become."""
    flat = np.ravel(exact)
    if dtype[0] not in "iu":
        return np.zeros(flat.shape, bool)
    bits = int(dtype[1:]) - (dtype[0] == "i")
    with np.errstate(invalid="ignore"):
        return ~((flat >= -(2.0**bits) * (dtype[0] == "i")) & (flat < 2.0**bits))


def excess(got: np.ndarray, exact: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """f64, flat: each element's distance over its limit. NaN agrees with NaN, and an infinity with
    the same infinity; elsewhere a value that is not finite exceeds every limit but an infinite one.
    """
    got, exact = (np.ravel(np.asarray(a, np.float64)) for a in (got, exact))
    with np.errstate(all="ignore"):
        off = np.abs(got - exact)
        over = np.where(off == 0, 0.0, off / limits)
    same = (np.isnan(got) & np.isnan(exact)) | (got == exact) | np.isinf(limits)
    return np.where(same, 0.0, np.nan_to_num(over, nan=np.inf))
