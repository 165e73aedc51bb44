"""Weights in GPU memory, in the encoding that the pack stores; shaders decode four at a time.

All weights of a pack are read by the same WGSL text. The encoding is a number in it, so small
tensors, which stay f32, need no shader of their own (programs/webgpu). A matrix lies in memory as
f32 if its rows are not whole 32-bit words in its encoding.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

from ...graph.graph import Graph, Shape
from ...ops import OPS
from ...weights.encodings import ENCODINGS, PLAIN
from .shader import BITS, Port, Slice


def store(graph: Graph, encodings: Mapping[str, str]) -> Graph:
    """The graph, with each weight of a product marked with its encoding; `graph` itself if all of
    them are f32."""
    read = {n.inputs[1] for n in graph.nodes if OPS[n.op].weights_rank} & set(encodings)
    if all(encodings[name] == PLAIN for name in read):
        return graph
    told = {n: replace(graph.values[n], stored=encodings[n]) for n in read}
    return replace(graph, values={**graph.values, **told})


def halved(encodings: Mapping[str, str]) -> dict[str, str]:
    """The encodings in an f16 program: f16 in place of f32. Only weights are looked up in it."""
    return {n: "f16" if e == PLAIN else e for n, e in encodings.items()}


@dataclass(frozen=True, slots=True)
class Weights:
    """`text` declares `weights(row: u32, column: u32)`, which reads `ports`. It gives the vec4f
    from `column` on, a multiple of four, if `wide`; otherwise one f32. Rows are the product of all
    axes but the last."""

    ports: tuple[Port, ...]
    text: str
    wide: bool


def read_weights(graph: Graph, part: str | Slice, shape: Shape, wide: bool) -> Weights:
    """The second operand of a product, or a part of it, of `shape`: a constant or another value."""
    name = part.name if isinstance(part, Slice) else part
    stored = graph.values[name].stored
    if not (wide and stored):
        return Weights((Port("b", part, shape, wide),), _plain(shape[-1], wide), wide)
    whole = part if isinstance(part, Slice) else Slice(part, 0, prod(shape))
    kind = _kept(stored, whole, shape[-1])
    held = replace(whole, kind=kind)
    packed = Port("b", held, shape, words=held.size // 4)
    scale, scales = (held, (1, 4)), 0
    if ENCODINGS[kind].scales:
        group = ENCODINGS[kind].group
        groups = -(-prod(shape[:-1]) // group) if group else 1
        first = whole.start // group if group else 0
        scales = groups * shape[-1]
        scale = Slice(name, first, scales, kind="scale"), (groups, shape[-1])
    return Weights((packed, Port("scale", *scale, wide=True)), _packed(kind, shape[-1]), wide)


def made_weights(graph: Graph, name: str, port: Port) -> Weights:
    """f32 weights that the GPU computes from the constant `name`, read by the same WGSL text as
    the pack's other weights."""
    columns = port.shape[-1]
    if not graph.values[name].stored:
        return Weights((port,), _plain(columns, True), True)
    words = replace(port, wide=False, words=prod(port.shape))
    return Weights((words, Port("scale", port.value, port.shape, wide=True)),
                   _packed(PLAIN, columns), True)


def _kept(stored: str, part: Slice, columns: int) -> str:
    """The encoding in GPU memory. It is f32 if a row is not whole 32-bit words, or if rows of zeros
    between the others would shift the groups that share a scale."""
    if columns * BITS[stored] % 32 or (ENCODINGS[stored].group and part.runs > 1):
        return PLAIN
    return stored


def _plain(columns: int, wide: bool) -> str:
    kind, step = ("vec4f", " / 4u") if wide else ("f32", "")
    return (f"fn weights(row: u32, column: u32) -> {kind} "
            f"{{ return b[(row * {columns}u + column){step}]; }}")


def _packed(kind: str, columns: int) -> str:
    """WGSL that decodes `kind`. It shifts whole numbers to the top of an i32 and back, which
    extends their sign."""
    bits = BITS[kind]
    ups = ", ".join(f"{32 - bits * i}u" if bits < 16 else "0u" for i in (1, 2, 3, 4))
    down = 32 - bits if bits < 16 else 0
    group = ENCODINGS[kind].group or 1 << 31
    return f"""fn weights(row: u32, column: u32) -> vec4f {{
  let quad = (row * {columns}u + column) / 4u;
  let at = quad * {bits}u / 8u;
  if ({bits}u == 32u) {{ return bitcast<vec4f>(vec4u(b[at], b[at + 1u], b[at + 2u], b[at + 3u])); }}
  if ({bits}u == 16u) {{ return vec4f(unpack2x16float(b[at]), unpack2x16float(b[at + 1u])); }}
  let word = b[at] >> (quad * {4 * bits % 32}u % 32u);
  let whole = vec4i(vec4u(word) << vec4u({ups})) >> vec4u({down}u);
  return vec4f(whole) * scale[(row / {group}u * {columns}u + column) / 4u];
}}"""
