"""normalize in WebAssembly: means, then squared deviations from them, then one map over x.

Two passes for the variance keep its error at a few ulps whatever the mean is.
"""

from math import prod

from ...emit.wasm_emitter import Emitter
from ...emit.wasm_map import emit_map, map_scratch
from ...emit.wasm_nest import View, padded_shape, view
from ...emit.wasm_reduce import emit_reduce
from ...emit.wasm_share import sync
from ...expr import call, inp, substitute
from ...graph import Graph, Node
from ...layout import Needs, Step, dense_strides, round_up


def needs(node: Node, graph: Graph) -> Needs:
    shape = graph.shape(node.inputs[0])
    statistics = 2 * _statistics(shape, node.attrs["axes"])
    return Needs(scratch=statistics + map_scratch(shape, len(node.inputs) + 2))


def _statistics(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """Elements of one statistic, its last axis in whole vectors."""
    kept = [1 if a in axes else n for a, n in enumerate(shape)]
    return prod(kept[:-1]) * round_up(kept[-1], 4)


def emit(step: Step, e: Emitter) -> None:
    x, scale, shift, *extras = step.inputs
    out, axes, shape = step.outputs[0], step.node.attrs["axes"], step.inputs[0].shape
    count = prod(shape[a] for a in axes)
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
    lanes = (*kept[:-1], round_up(kept[-1], 4))
    strides = tuple(0 if a in axes else s for a, s in enumerate(dense_strides(lanes)))
    mean = View(step.scratch, strides)
    factor = View(step.scratch + _statistics(shape, axes), strides)
    source = view(x, shape)
    emit_reduce(e, "sum", shape, mean, [source])
    sync(e)
    emit_map(e, inp(0) / count, kept, mean, [mean])
    sync(e)
    deviation = inp(0) - inp(1)
    emit_reduce(e, "sum", shape, factor, [source, mean], deviation * deviation)
    sync(e)
    rate = 1 / call("sqrt", inp(0) / count + step.node.attrs["eps"])
    emit_map(e, rate, kept, factor, [factor])
    sync(e)
    written = padded_shape(out)
    value = (inp(0) - inp(1)) * inp(2) * inp(3) + inp(4)
    epilogue = step.node.attrs.get("epilogue")
    if epilogue is not None:
        value = substitute(epilogue, [value, *(inp(5 + i) for i in range(len(extras)))])
    emit_map(e, value, written, view(out, written),
             [view(x, written), mean, factor, *(view(t, written) for t in (scale, shift, *extras))],
             step.scratch + 2 * _statistics(shape, axes))
