"""Epilogues in WGSL: a kernel adds the bias to a sum and applies the node's epilogue to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, prod

from ...graph.expr import Expr, inp
from ...graph.graph import Graph, Node
from ...ops import own_operands
from ...ops.attrs import Product, epilogue_of
from .expr import bits, function
from .shader import LANES, Dispatch, Port, dispatch


@dataclass(frozen=True, slots=True)
class Finish:
    """`text` declares `finish(sum: T, at: u32, channel: u32) -> T`, where T is f32 or vec4f. The
    function reads `ports`; `at` and `channel` count elements of type T."""

    ports: tuple[Port, ...]
    text: str


def finish(node: Node, graph: Graph, wide: bool, bias: str | None = None) -> Finish:
    """The epilogue of `node`. `wide`: the kernel computes vec4f. `bias`: the name of the bias, if
    there is one."""
    names = node.inputs[own_operands(node):]
    expr = epilogue_of(node) or inp(0)
    bounds = _bounds(expr)
    if bounds and len(names) < 2:
        return _plain(node, graph, wide, bias, names, bounds)
    out = graph.shape(node.name)
    ports = [Port("bias", bias, graph.shape(bias), wide)] if bias else []
    ports += [Port(f"extra{i}", name, graph.shape(name), wide) for i, name in enumerate(names, 1)]
    loads = [
        f"  let e{i} = extra{i}[{'at' if graph.shape(name) == out else 'channel'}];\n"
        for i, name in enumerate(names, 1)
    ]
    kind = "vec4f" if wide else "f32"
    value = spread("epilogue", ["v", *(f"e{i}" for i in range(1, 1 + len(names)))], wide)
    text = (f"fn finish(sum: {kind}, at: u32, channel: u32) -> {kind} {{\n"
            f"  let v = sum{' + bias[channel]' if bias else ''};\n{''.join(loads)}"
            f"  return {value};\n}}")
    return Finish(tuple(ports), f"{function('epilogue', expr, 1 + len(names))}\n{text}")


def unfinished(node: Node, graph: Graph, wide: bool, bias: str) -> Finish:
    """The identity, in the same WGSL as `finish` with a bias, so that both share a shader."""
    return _plain(node, graph, wide, bias, (), (-inf, inf), biased=False)


def _plain(node: Node, graph: Graph, wide: bool, bias: str | None, names: Sequence[str],
           bounds: tuple[float, float], biased: bool = True) -> Finish:
    """A bias, at most one addend, and bounds. A missing part is switched off by a number, and
    another operand is bound in its place. So steps with and without it differ only in numbers and
    share a shader (programs/webgpu)."""
    addend = names[0] if names else node.inputs[0]
    index = "at" if not names or graph.shape(addend) == graph.shape(node.name) else "channel"
    kind = "vec4f" if wide else "f32"
    low, high = (f"{kind}({bits(bound)})" for bound in bounds)
    has = f"{len(names)}u != 0u"
    b = f"select({kind}(), bias[channel], {int(biased)}u != 0u)" if bias else f"{kind}()"
    text = f"""fn finish(sum: {kind}, at: u32, channel: u32) -> {kind} {{
  let b = {b};
  let e = select({kind}(), addend[select(0u, {index}, {has})], {has});
  return min(max(sum + b + e, {low}), {high});
}}"""
    ports = [Port("bias", bias, graph.shape(bias), wide)] if bias else []
    return Finish((*ports, Port("addend", addend, graph.shape(addend), wide)), text)


def _bounds(expr: Expr) -> tuple[float, float] | None:
    """(low, high) if `expr` is the sum of all inputs, clamped or not; None otherwise."""
    low, high = -inf, inf
    while expr.op in ("min", "max") and expr.args[1].op == "const":
        bound = expr.args[1].value
        low = max(low, min(bound, high)) if expr.op == "max" else low
        high = min(high, max(bound, low)) if expr.op == "min" else high
        expr = expr.args[0]
    terms = expr.args if expr.op == "add" else (expr,)
    plain = sorted(t.value for t in terms if t.op == "input") == list(range(len(terms)))
    return (low, high) if plain else None


def spread(name: str, args: Sequence[str], wide: bool) -> str:
    """A call of the scalar function `name`; if `wide`, the arguments are vec4f, and each lane has
    its own call."""
    if not wide:
        return f"{name}({', '.join(args)})"
    lanes = (f"{name}({', '.join(f'{a}.{lane}' for a in args)})" for lane in "xyzw")
    return f"vec4f({', '.join(lanes)})"


def sum_parts(node: Node, graph: Graph, parts: int, partial: str, end: Finish, wide: bool
              ) -> Dispatch:
    """The dispatch out = finish(sum over p of partial[p]). partial[parts, *out.shape] is a
    temporary."""
    out = graph.shape(node.name)
    whole, start = Product.of(node).into or (node.name, 0)
    target = Port("out", whole, graph.shape(whole), wide)
    reads = [Port("partial", partial, (parts, *out), wide), *end.ports]
    step = 4 if wide else 1
    count = prod(out) // step
    return dispatch(
        "wgsl/sum.wgsl", reads, [target], -(-count // LANES), finish=end.text, parts=parts,
        channels=out[-1] // step, pitch=target.shape[-1] // step, start=start // step, count=count,
        lanes=LANES,
    )
