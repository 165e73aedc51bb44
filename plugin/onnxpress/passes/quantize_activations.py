"""Turns chosen convolutions and matrix products into products of integers that are held in f32.

The result has the form in which `lower_qdq` leaves a quantized model.

1. The left operand x of a chosen layer becomes integers, clamp(round(x / scale), lo, hi). So do
   residuals that are added to such an operand. The range lo..hi contains 0.
2. The weights of the layer are the integers of their encoding. Its sums have the unit
   x_scale * w_scale; its bias is rounded to that unit, and its epilogue starts with sum * unit.
   Where all weights of an output channel are 0, the magnitude of the bias is the unit.
3. If all readers of a value in integers are chosen layers or expressions, the expression that makes
   the value rounds it (`Grid.direct`), and its readers multiply by the scale. Elsewhere a pointwise
   operator rounds the value.
4. In an expression of sums, bounds and constant factors, 1 / scale is multiplied into the factors
   of its operands. Bounds outside lo..hi are dropped.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..graph.expr import Expr, call, const, inp, substitute
from ..graph.graph import Graph, Node
from ..ops import own_operands
from ..ops.attrs import WithEpilogue
from ..ops.pointwise import Pointwise
from .draft import Draft
from .epilogue import expression

EXACT = 1e-12  # a factor this near to 1 is 1: it is a product of rounded f64 numbers


@dataclass(frozen=True, slots=True)
class Grid:
    """The grid of a quantized value: `scale` times the integers lo..hi. The value `name` holds
    the integers. If `direct`, no value holds their product with the scale."""

    name: str
    scale: float
    lo: float
    hi: float
    direct: bool

    def rounded(self, ratio: Expr) -> Expr:
        """The integers lo..hi nearest to `ratio`, which is the value divided by the scale. Bounds
        in `ratio` that lie outside lo..hi are dropped."""
        while ratio.op in ("min", "max") and ratio.args[1].op == "const":
            bound = np.rint(ratio.args[1].value)
            if bound < self.hi if ratio.op == "min" else bound > self.lo:
                break
            ratio = ratio.args[0]
        return call("min", call("max", call("round", ratio), self.lo), self.hi)


def quantize_activations(graph: Graph, layers: Collection[str],
                         ranges: Mapping[str, tuple[float, float]],
                         weights: Mapping[str, tuple[np.ndarray, np.ndarray]],
                         levels: int) -> Graph:
    """The graph whose `layers`, given by node name, multiply integers.

    `ranges`: value -> its (low, high). `weights`: constant -> (its integers, their scale for each
    output channel). `levels`: hi - lo of every grid.
    """
    draft = Draft(graph)
    grids = _grids(graph, layers, ranges, levels, draft)
    for name in graph.inputs:
        _round_apart(draft, name, grids)
    for node in graph.nodes:
        if node.name in layers:
            _layer(draft, node, grids, *weights[node.inputs[1]])
        elif _computes(node):
            _expression(draft, node, grids)
        else:
            draft.keep(node)
        _round_apart(draft, node.name, grids)
    for name in {node.inputs[1] for node in graph.nodes if node.name in layers}:
        draft.constants[name] = weights[name][0]
    return draft.finish()


def _grids(graph: Graph, layers: Collection[str], ranges: Mapping[str, tuple[float, float]],
           levels: int, draft: Draft) -> dict[str, Grid]:
    """The grid of each value that becomes integers."""
    makers, readers = graph.producers(), graph.consumers()
    wanted = {node.inputs[0] for node in graph.nodes if node.name in layers}
    for node in reversed(graph.nodes):
        if node.name in layers and node.name in wanted:
            extras = node.inputs[own_operands(node):]
            wanted.update(n for n in extras if graph.shape(n) == graph.shape(node.name)
                          and n not in graph.constants)
    grids = {}
    for name in sorted(wanted):
        maker = makers.get(name)
        hosted = maker is not None and _computes(maker)
        direct = hosted and name not in graph.outputs and all(
            _takes_steps(reader, name, layers) for reader in readers[name])
        low, high = (float(b) for b in ranges[name])
        low, high = min(low, 0.0), max(high, 0.0)
        scale = np.float32(max(high - low, 1e-30) / levels)
        lo = float(np.rint(low / scale))
        grids[name] = Grid(draft.fresh(f"{name}.steps"), float(scale), lo, lo + levels, direct)
    return grids


def _computes(node: Node) -> bool:
    """Whether `node` computes an expression: it is pointwise, or can have an epilogue."""
    return isinstance(node.attrs, Pointwise | WithEpilogue)


def _takes_steps(reader: Node, name: str, layers: Collection[str]) -> bool:
    """Whether `reader` can read the integers of `name` wherever it reads `name`."""
    if isinstance(reader.attrs, Pointwise):
        return True
    places = [i for i, n in enumerate(reader.inputs) if n == name]
    return isinstance(reader.attrs, WithEpilogue) and all(
        i >= own_operands(reader) or (i == 0 and reader.name in layers) for i in places)


def _round_apart(draft: Draft, name: str, grids: Mapping[str, Grid]) -> None:
    """Case 3 for a value that is not `direct`: adds the pointwise operator that rounds it."""
    grid = grids.get(name)
    if grid and not grid.direct:
        draft.add(Pointwise(expr=grid.rounded(inp(0) * (1 / grid.scale))), (name,),
                  draft.shape(name), grid.name, like=name)


def _layer(draft: Draft, node: Node, grids: Mapping[str, Grid], weights: np.ndarray,
           w_scale: np.ndarray) -> None:
    """Case 2. `weights` are integers with the last axis O, `w_scale` is f32[O]."""
    x, first = grids[node.inputs[0]], own_operands(node)
    bias = draft.graph.constants[node.inputs[2]].astype(np.float64)
    idle = np.where(bias, np.abs(bias), 1.0)
    used = weights.reshape(-1, len(bias)).any(0)
    unit = np.where(used, x.scale * w_scale.astype(np.float64), idle)
    bias = np.rint(bias / unit)
    names, operands = _operands(node.inputs[first:], first, grids)
    expr = expression(node) or inp(0)
    grid = grids.get(node.name)
    k = 1 / grid.scale if grid and grid.direct and _is_homogeneous(expr) else 1.0
    inputs = (x.name, node.inputs[1], draft.constant(f"{node.name}.bias", bias), *names,
              draft.constant(f"{node.name}.unit", unit * k))
    sums = inp(0) * inp(len(names) + 1)  # the unit contains the factor k
    operands = [(sums, 1 / k), *operands]
    _keep(draft, replace(node, inputs=inputs), expr, operands, grid)


def _expression(draft: Draft, node: Node, grids: Mapping[str, Grid]) -> None:
    """Adds a pointwise operator, or a layer in f32 with its epilogue."""
    first = own_operands(node)
    names, operands = _operands(node.inputs[first:], first, grids)
    expr = expression(node) or inp(0)
    operands = [(inp(0), 1.0), *operands] if first else operands
    _keep(draft, replace(node, inputs=(*node.inputs[:first], *names)), expr, operands,
          grids.get(node.name))


def _operands(names: Sequence[str], behind: int, grids: Mapping[str, Grid]
              ) -> tuple[list[str], list[tuple[Expr, float]]]:
    """(values, operands): what an expression reads in place of `names`, and each operand as
    (input, factor). If the operator has operands of its own (`behind` > 0), input 0 is its result
    and the operands follow from input 1."""
    found = [grids.get(n) for n in names]
    first = 1 if behind else 0
    return ([g.name if g else n for n, g in zip(names, found, strict=True)],
            [(inp(i), g.scale if g else 1.0) for i, g in enumerate(found, first)])


def _keep(draft: Draft, node: Node, expr: Expr, operands: Sequence[tuple[Expr, float]],
          grid: Grid | None) -> None:
    """Adds `node` with `expr` of the `operands` (input, factor). The expression rounds its result
    if that has a direct grid."""
    name, k = node.name, 1.0
    if grid and grid.direct:
        name, k = grid.name, 1 / grid.scale
    inner = _is_homogeneous(expr)
    factors = [f * k if inner else f for _, f in operands]
    scaled = [e if abs(f - 1) < EXACT else e * f
              for (e, _), f in zip(operands, factors, strict=True)]
    expr = substitute(_with_bounds_times(expr, k) if inner else expr, scaled)
    if grid and grid.direct:
        expr = grid.rounded(expr if inner else expr * k)
    if isinstance(node.attrs, Pointwise):
        node = node.with_attrs(expr=expr)
    else:
        node = node.with_attrs(epilogue=None if expr == inp(0) else expr)
    draft.add(node.attrs, node.inputs, draft.shape(node.name), name, like=node.name)


def _is_homogeneous(expr: Expr) -> bool:
    """Whether k * expr(x, c) = expr(k * x, k * c) for k > 0, where c are the constants that are not
    factors."""
    if expr.op == "mul":
        constant = [a.op == "const" for a in expr.args]
        return any(constant) and all(map(_is_homogeneous, expr.args))
    return expr.op in ("input", "const", "add", "sub", "neg", "min", "max") and all(
        map(_is_homogeneous, expr.args))


def _with_bounds_times(expr: Expr, k: float) -> Expr:
    """`expr` with every constant that is not a factor multiplied by `k`."""
    if expr.op == "const":
        return const(expr.value * k)
    if expr.op == "mul":
        return Expr("mul", tuple(a if a.op == "const" else _with_bounds_times(a, k)
                                 for a in expr.args))
    return Expr(expr.op, tuple(_with_bounds_times(a, k) for a in expr.args), expr.value)
