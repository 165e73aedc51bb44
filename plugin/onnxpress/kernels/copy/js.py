"""Copies in JavaScript: strided loops over rectangles; long rows move by copyWithin."""

from ...emit.js.module import JsModule
from ...emit.layout import Needs, Step, Tensor
from ...emit.loops import collapse, nest
from ...graph.graph import Graph, Node
from ...ops import moves
from ...ops.copies import coalesce

ROW = 32  # elements; a call of copyWithin takes as long as a loop over them; chosen by trial


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, program: JsModule) -> None:
    out = step.outputs[0]
    plan = moves(step.node, [t.shape for t in step.inputs], out.shape,
                 [t.strides for t in step.inputs], out.strides)
    if plan.fill is not None:
        _fill(out, plan.fill, program)
    for part in map(coalesce, plan.parts):
        src = step.inputs[part.source].offset + part.src_offset
        dst = out.offset + part.dst_offset
        shape, src_strides, dst_strides = part.shape, part.src_strides, part.dst_strides
        long = shape and shape[-1] >= ROW and src_strides[-1] == dst_strides[-1] == 1
        depth = len(shape) - 1 if long else len(shape)
        loops = nest(depth, {"y": "y", "x": "x"})
        name = program.function("copy", nest=loops, action="copyWithin" if long else "assign")
        program.call(name, dst, src, shape[-1] if long else 1, *shape[:depth],
                     *dst_strides[:depth], *src_strides[:depth])


def _fill(out: Tensor, value: float, program: JsModule) -> None:
    shape, (strides,) = collapse(out.shape, [out.strides])
    run = shape[-1] if strides[-1:] == (1,) else 1
    depth = len(shape) - (strides[-1:] == (1,))
    name = program.function("copy", nest=nest(depth, {"y": "y"}), action="fill")
    program.call(name, out.offset, value, run, *shape[:depth], *strides[:depth])
