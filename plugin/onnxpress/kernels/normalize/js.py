"""normalize in JavaScript: sums and sums of squares in float64, then one pass that scales."""

from itertools import chain
from math import prod

from ...emit.js.module import JsModule, assign, lift
from ...emit.layout import Needs, Step
from ...emit.loops import broadcast_strides, collapse, nest
from ...graph.expr import inp
from ...graph.graph import Graph, Node, Shape
from ...ops.reduce import Normalize


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, program: JsModule) -> None:
    x, out, attrs = step.inputs[0], step.outputs[0], Normalize.of(step.node)
    axes, last = attrs.axes, len(x.shape) - 1
    vector = last not in axes
    operands = [out, *step.inputs]
    names = ["y", "x", "scale", "shift", *(f"e{i}" for i in range(len(step.inputs) - 3))]
    strides = [broadcast_strides(t.shape, t.strides, x.shape) for t in operands]

    def part(chosen: list[int]) -> tuple[Shape, list[Shape]]:
        """(lengths, strides of each operand) of these axes, collapsed."""
        return collapse(tuple(x.shape[a] for a in chosen),
                        [tuple(s[a] for a in chosen) for s in strides])

    keep, kept = part([a for a in range(last + 1 - vector) if a not in axes])
    drop, dropped = part(list(axes))
    outer = nest(len(keep), {p: p for p in names})
    measure = nest(len(drop), {"x": outer.at["x"]}, "m")
    apply = nest(len(drop), outer.at, "m")
    step_c = [s[last] for s in strides] if vector else []
    at = {p: apply.at[p] + (f" + {'c' if s else '0'}" if vector else "")
          for p, s in zip(names, step_c or names, strict=True)}
    value = f"(H[{at['x']}] - mean) * inverse * H[{at['scale']}] + H[{at['shift']}]"
    expr, numbers = lift(attrs.epilogue or inp(0), len(names) - 3)
    constants = [f"k{i}" for i in range(len(numbers))]
    name = program.function(
        "normalize", names=names + constants, outer=outer, measure=measure, apply=apply,
        sums=program.sums(2 * x.shape[last]) if vector else "",
        value=value, store=assign(f"H[{at['y']}]", expr,
                                  ["v", *(f"H[{at[p]}]" for p in names[4:]), *constants]))
    program.call(name, *(t.offset for t in operands), *numbers, x.shape[last], prod(drop),
                 attrs.eps, *keep, *chain(*kept), *drop, *chain(*dropped))
