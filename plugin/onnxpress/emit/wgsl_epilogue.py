"""What happens to a sum before it is stored: bias, then the node's epilogue, in registers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ..expr import inp
from ..graph import Graph, Node
from .wgsl_expr import function
from .wgsl_shader import Dispatch, Port, over_elements


@dataclass(frozen=True, slots=True)
class Finish:
    """`text` declares `finish(sum: T, at: u32, channel: u32) -> T`, T being f32 or vec4f, which
    reads `ports`; `at` and `channel` count elements of type T."""

    ports: tuple[Port, ...]
    text: str


def finish(node: Node, graph: Graph, extras: int, wide: bool, bias: str | None = None) -> Finish:
    """The end of `node`, whose inputs from index `extras` on are its epilogue's operands."""
    out = graph.shape(node.name)
    names = node.inputs[extras:]
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
    expr = node.attrs.get("epilogue") or inp(0)
    return Finish(tuple(ports), f"{function('epilogue', expr, 1 + len(names))}\n{text}")


def spread(name: str, args: Sequence[str], wide: bool) -> str:
    """A call of the scalar function `name`, once per lane where the arguments are vec4f."""
    if not wide:
        return f"{name}({', '.join(args)})"
    lanes = (f"{name}({', '.join(f'{a}.{lane}' for a in args)})" for lane in "xyzw")
    return f"vec4f({', '.join(lanes)})"


def sum_parts(node: Node, graph: Graph, parts: int, partial: str, end: Finish, wide: bool
              ) -> Dispatch:
    """out = finish(sum over p of partial[p]); partial[parts, *out.shape] is a scratch value."""
    out = graph.shape(node.name)
    reads = [Port("partial", partial, (parts, *out), wide), *end.ports]
    return over_elements(
        "wgsl_sum.wgsl", reads, Port("out", node.name, out, wide), finish=end.text, parts=parts,
        channels=out[-1] // (4 if wide else 1), type="vec4f" if wide else "f32",
        stride=prod(out) // (4 if wide else 1),
    )
