"""Turns chosen convolutions and matrix products into products of whole numbers held in f32, as
`lower_qdq` leaves a quantized model.

1. The left operand of a chosen layer, and residuals that are added to a quantized result, become
   whole numbers: x = clamp(round(x / scale)) of a range, 0 among them.
2. The layer's weights are the whole numbers of their encoding, its bias is rounded to the unit
   x_scale * w_scale of its sums, and its epilogue starts with the sums times that unit. Where all
   weights of a channel are 0 the bias itself is the unit.
3. Where all readers of such a value are chosen layers, or expressions, its maker's own expression
   rounds it, and expressions multiply it by its scale; elsewhere a pointwise operator rounds it.
4. An expression of sums, bounds and constant factors takes 1 / scale into its operands' factors;
   bounds outside the range go.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..graph.expr import Expr, call, const, inp, substitute
from ..graph.graph import Graph, Node
from ..ops.attrs import WithEpilogue
from ..ops.pointwise import Pointwise
from .draft import Draft
from .epilogue import expression, own

EXACT = 1e-12  # factors that near to 1 are 1: their parts were multiplied up in f64


@dataclass(frozen=True, slots=True)
class Grid:
    """A value is `scale` times whole numbers in `lo`..`hi`; `name` holds those. `direct`: nothing
    holds the value itself."""

    name: str
    scale: float
    lo: float
    hi: float
    direct: bool

    def rounded(self, steps: Expr) -> Expr:
        """`steps`, a value over the scale, as whole numbers in range."""
        while steps.op in ("min", "max") and steps.args[1].op == "const":
            bound = np.rint(steps.args[1].value)
            if bound < self.hi if steps.op == "min" else bound > self.lo:
                break
            steps = steps.args[0]
        return call("min", call("max", call("round", steps), self.lo), self.hi)


def quantize_activations(graph: Graph, layers: Collection[str],
                         ranges: Mapping[str, tuple[float, float]],
                         weights: Mapping[str, tuple[np.ndarray, np.ndarray]],
                         levels: int) -> Graph:
    """`layers` by node name. `ranges`: (low, high) of values; `weights`: whole numbers and their
    scale per output channel; `levels`: how many steps a range has."""
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
    makers, readers = graph.producers(), graph.consumers()
    wanted = {node.inputs[0] for node in graph.nodes if node.name in layers}
    for node in reversed(graph.nodes):
        if node.name in layers and node.name in wanted:
            extras = node.inputs[own(node):]
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
    """Whether `node` computes an expression, be it an epilogue."""
    return isinstance(node.attrs, Pointwise | WithEpilogue)


def _takes_steps(reader: Node, name: str, layers: Collection[str]) -> bool:
    """Whether all that `reader` does with `name` is known to work on its whole numbers."""
    if isinstance(reader.attrs, Pointwise):
        return True
    places = [i for i, n in enumerate(reader.inputs) if n == name]
    return isinstance(reader.attrs, WithEpilogue) and all(
        i >= own(reader) or (i == 0 and reader.name in layers) for i in places)


def _round_apart(draft: Draft, name: str, grids: Mapping[str, Grid]) -> None:
    """Case 3, elsewhere."""
    grid = grids.get(name)
    if grid and not grid.direct:
        draft.add(Pointwise(expr=grid.rounded(inp(0) * (1 / grid.scale))), (name,),
                  draft.shape(name), grid.name, like=name)


def _layer(draft: Draft, node: Node, grids: Mapping[str, Grid], steps: np.ndarray,
           w_scale: np.ndarray) -> None:
    """Case 2."""
    x, first = grids[node.inputs[0]], own(node)
    bias = draft.graph.constants[node.inputs[2]].astype(np.float64)
    idle = np.where(bias, np.abs(bias), 1.0)
    unit = np.where(steps.reshape(-1, len(bias)).any(0), x.scale * w_scale.astype(np.float64), idle)
    bias = np.rint(bias / unit)
    names, operands = _operands(node.inputs[first:], first, grids)
    expr = expression(node) or inp(0)
    grid = grids.get(node.name)
    k = 1 / grid.scale if grid and grid.direct and _is_homogeneous(expr) else 1.0
    inputs = (x.name, node.inputs[1], draft.constant(f"{node.name}.bias", bias), *names,
              draft.constant(f"{node.name}.unit", unit * k))
    sums = inp(0) * inp(len(names) + 1)  # times k, which is part of the unit
    operands = [(sums, 1 / k), *operands]
    _keep(draft, replace(node, inputs=inputs), expr, operands, grid)


def _expression(draft: Draft, node: Node, grids: Mapping[str, Grid]) -> None:
    """A pointwise operator, or an epilogue of a layer in f32."""
    first = own(node)
    names, operands = _operands(node.inputs[first:], first, grids)
    expr = expression(node) or inp(0)
    operands = [(inp(0), 1.0), *operands] if first else operands
    _keep(draft, replace(node, inputs=(*node.inputs[:first], *names)), expr, operands,
          grids.get(node.name))


def _operands(names: Sequence[str], behind: int, grids: Mapping[str, Grid]
              ) -> tuple[list[str], list[tuple[Expr, float]]]:
    """What an expression reads for `names`, and each as an input times a factor; `behind` so many
    operands, the expression of an epilogue also reads the operator's own result."""
    found = [grids.get(n) for n in names]
    first = 1 if behind else 0
    return ([g.name if g else n for n, g in zip(names, found, strict=True)],
            [(inp(i), g.scale if g else 1.0) for i, g in enumerate(found, first)])


def _keep(draft: Draft, node: Node, expr: Expr, operands: Sequence[tuple[Expr, float]],
          grid: Grid | None) -> None:
    """Adds `node` with `expr` of `operands`, rounded where its result has a direct grid."""
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
    """Whether k * expr(x, c) = expr(k * x, k * c) for k > 0, c being all constants but factors."""
    if expr.op == "mul":
        constant = [a.op == "const" for a in expr.args]
        return any(constant) and all(map(_is_homogeneous, expr.args))
    return expr.op in ("input", "const", "add", "sub", "neg", "min", "max") and all(
        map(_is_homogeneous, expr.args))


def _with_bounds_times(expr: Expr, k: float) -> Expr:
    """`expr` with all constants but factors times `k`."""
    if expr.op == "const":
        return const(expr.value * k)
    if expr.op == "mul":
        return Expr("mul", tuple(a if a.op == "const" else _with_bounds_times(a, k)
                                 for a in expr.args))
    return Expr(expr.op, tuple(_with_bounds_times(a, k) for a in expr.args), expr.value)
