"""reduce in JavaScript: loops over the kept axes around loops over the folded ones. If the last
axis is kept, its loop is the innermost, with one sum for each element."""

from math import prod

from ...emit.js.module import JsModule, number
from ...emit.layout import Needs, Step
from ...emit.loops import collapse, nest
from ...graph.graph import Graph, Node
from ...ops.reduce import Reduce

COMBINE = {
    "sum": (0.0, "{0} += {1};"),
    "mean": (0.0, "{0} += {1};"),
    "prod": (1.0, "{0} *= {1};"),
    "max": (float("-inf"), "{0} = Math.max({0}, {1});"),
    "min": (float("inf"), "{0} = Math.min({0}, {1});"),
}


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, program: JsModule) -> None:
    x, out, attrs = step.inputs[0], step.outputs[0], Reduce.of(step.node)
    axes, kind = attrs.axes, attrs.kind
    last = len(x.shape) - 1
    vector = last not in axes and out.shape[last] > 1
    kept = [a for a in range(last + 1 - vector) if a not in axes]
    keep, (y_keep, x_keep) = collapse(
        tuple(x.shape[a] for a in kept),
        [tuple(t.strides[a] for a in kept) for t in (out, x)])
    drop, (x_drop,) = collapse(
        tuple(x.shape[a] for a in axes), [tuple(x.strides[a] for a in axes)])
    outer = nest(len(keep), {"y": "y", "x": "x"})
    inner = nest(len(drop), {"x": outer.at["x"]}, "m")
    start, combine = COMBINE[kind]
    channels = out.shape[last] if vector else 1
    at = inner.at["x"] + (" + c" if vector else "")
    sums = program.sums(channels) if vector else ""
    name = program.function(
        "reduce", outer=outer, inner=inner, sums=sums, start=number(start), mean=kind == "mean",
        combine=combine.format("sums[c]" if vector else "sum", f"H[{at}]"))
    program.call(name, out.offset, x.offset, channels, prod(drop), *keep, *y_keep, *x_keep, *drop,
                 *x_drop)
