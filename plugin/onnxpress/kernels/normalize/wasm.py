"""normalize in WebAssembly: means, then squared deviations from the means, then one map over x.

A second pass for the variance keeps its error at a few ULP, however large the mean is.
"""

from collections.abc import Sequence
from math import prod

from ...emit.layout import Needs, Step, dense_strides, round_up
from ...emit.wasm.emitter import Emitter
from ...emit.wasm.map import emit_map, map_scratch
from ...emit.wasm.nest import View, padded_shape, view
from ...emit.wasm.reduce import emit_reduce
from ...emit.wasm.share import MANY, sync
from ...graph.expr import Expr, call, inp, substitute
from ...graph.graph import Graph, Node, Shape
from ...ops.reduce import Normalize


def needs(node: Node, graph: Graph) -> Needs:
    shape, axes = graph.shape(node.inputs[0]), Normalize.of(node).axes
    return Needs(scratch=2 * _statistics(shape, axes) + _statistics(shape, _within(shape, axes))
                 + map_scratch(shape, len(node.inputs) + 2))


def _within(shape: Shape, axes: Shape) -> Shape:
    """The axes that are summed first. If the outermost axis is long, it comes second: a thread
    first sums the rows that it has written, then the sums of all rows are added."""
    lanes = len(shape) - 1
    return axes[1:] if lanes not in axes and len(axes) > 1 and shape[axes[0]] >= MANY else axes


def _statistics(shape: Shape, axes: Shape) -> int:
    """f32 elements of one statistic, such as the mean over `axes`. Its last axis is rounded up to
    whole vectors."""
    kept = _kept(shape, axes)
    return prod(kept[:-1]) * round_up(kept[-1], 4)


def _kept(shape: Shape, axes: Shape) -> Shape:
    """The shape of a statistic: length 1 along `axes`."""
    return tuple(1 if a in axes else n for a, n in enumerate(shape))


def _view(offset: int, shape: Shape, axes: Shape) -> View:
    """A view of the statistic at heap element `offset`, broadcast to `shape`."""
    kept = _kept(shape, axes)
    strides = dense_strides((*kept[:-1], round_up(kept[-1], 4)))
    return View(offset, tuple(0 if a in axes else s for a, s in enumerate(strides)))


def _sum(e: Emitter, step: Step, target: View, ins: Sequence[View], expr: Expr) -> None:
    """target = the sum of expr(*ins) over the step's axes."""
    shape, axes = step.inputs[0].shape, Normalize.of(step.node).axes
    within = _within(shape, axes)
    if within == axes:
        emit_reduce(e, "sum", shape, target, ins, expr)
        return
    rows = _view(step.scratch + 2 * _statistics(shape, axes), shape, within)
    emit_reduce(e, "sum", shape, rows, ins, expr)
    sync(e)
    emit_reduce(e, "sum", _kept(shape, within), target, [rows])


def emit(step: Step, e: Emitter) -> None:
    x, scale, shift, *extras = step.inputs
    out, attrs, shape = step.outputs[0], Normalize.of(step.node), x.shape
    axes, epilogue = attrs.axes, attrs.epilogue
    count = prod(shape[a] for a in axes)
    kept, size = _kept(shape, axes), _statistics(shape, axes)
    mean, factor = (_view(step.scratch + i * size, shape, axes) for i in range(2))
    source = view(x, shape)
    _sum(e, step, mean, [source], inp(0))
    sync(e)
    emit_map(e, inp(0) / count, kept, mean, [mean])
    sync(e)
    deviation = inp(0) - inp(1)
    _sum(e, step, factor, [source, mean], deviation * deviation)
    sync(e)
    rate = 1 / call("sqrt", inp(0) / count + attrs.eps)
    emit_map(e, rate, kept, factor, [factor])
    sync(e)
    written = padded_shape(out)
    value = (inp(0) - inp(1)) * inp(2) * inp(3) + inp(4)
    if epilogue is not None:
        value = substitute(epilogue, [value, *(inp(5 + i) for i in range(len(extras)))])
    emit_map(e, value, written, view(out, written),
             [view(x, written), mean, factor, *(view(t, written) for t in (scale, shift, *extras))],
             step.scratch + 2 * size + _statistics(shape, _within(shape, axes)))
