"""What WGSL kernels are built from: ports, dispatches, templates and index arithmetic.

A kernel's `lower(node, graph, device)` returns dispatches in order. Every shape is baked into the
text; tensors are dense buffers, read as vec4f where shapes allow.

Lines that begin with `//+ ` are code where the device has the feature `subgroups`. They assume that
`local_invocation_index` runs along each subgroup in order. WGSL does not promise it, but drivers
lay workgroups of one dimension out so, and the golden check finds one that does not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import prod
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...graph.graph import Graph, Node
from ...weights.encodings import ENCODINGS
from .device import Device
from .expr import with_helpers

# The guaranteed limits of WebGPU (W3C, section 3.6.2), in bytes where it is memory.
MAX_BINDING = 128 << 20
MAX_GROUPS = 65535
MAX_BUFFERS = 8
LANES = 64  # invocations of a workgroup that shares nothing
BITS = {**{e.name: e.bits for e in ENCODINGS.values()}, "scale": 32}  # of an element


@dataclass(frozen=True, slots=True)
class Slice:
    """Elements of a constant, bound on their own: `runs` of `length` from `start` on, which lie
    `pitch` apart with zeros between. `kind`: decoded to f32, in the encoding that the pack stores,
    or the f32 "scale" of such."""

    name: str
    start: int
    length: int
    runs: int = 1
    pitch: int = 0
    kind: str = "f32"

    @property
    def size(self) -> int:
        return self.bytes(max(self.length, self.runs * self.pitch))

    def bytes(self, elements: int) -> int:
        return elements * BITS[self.kind] // 8


@dataclass(frozen=True, slots=True)
class Port:
    """One binding: the shader's variable `var` holds `value` as f32, as vec4f where `wide`, as
    vec2f where `pair`, or as the `words` u32 of packed weights."""

    var: str
    value: str | Slice
    shape: tuple[int, ...]
    wide: bool = False
    pair: bool = False
    words: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """A matrix product C[batch,m,n] over k. `image`: it is a 3x3 convolution of stride 1 to so many
    images, rows and columns, which may take Winograd's algorithm."""

    m: int
    n: int
    k: int
    batch: int
    image: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One shader run. `reads`, then `writes`, are bound in order. `scratch` are temporaries that
    it makes, in elements; `tables` are constants that the kernel adds to the graph's own; `work`
    is the product that tiles are chosen for. `operations`: those of it, of the dispatches of a node
    that do the work. `once`: it runs when the weights are there, and what it writes serves all
    runs."""

    shader: str
    reads: tuple[str | Slice, ...]
    writes: tuple[str, ...]
    workgroups: tuple[int, int]
    scratch: Mapping[str, int] = field(default_factory=dict)
    tables: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    work: Work | None = None
    operations: int = 0
    once: bool = False


Lower = Callable[[Node, Graph, Device], list[Dispatch]]


@cache
def _environment() -> Environment:
    package = Path(__file__).parents[2]
    return Environment(
        loader=FileSystemLoader([package / "emit", package / "kernels"]),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False,
    )


def dispatch(template: str, reads: Sequence[Port], writes: Sequence[Port], workgroups: int,
             scratch: Mapping[str, int] = {}, tables: Mapping[str, tuple[float, ...]] = {},
             **context: object) -> Dispatch:
    """`template` rendered with `context` for `workgroups` workgroups.

    The template finds `bindings`, and `grid_x`: the workgroups fold into rows of that length,
    so its index is `group.x + group.y * grid_x`, and those beyond `workgroups` must do nothing.
    """
    y = -(-workgroups // MAX_GROUPS)
    x = -(-workgroups // y)
    lines = [_declare(i, p, "read") for i, p in enumerate(reads)]
    lines += [_declare(i, p, "read_write") for i, p in enumerate(writes, len(reads))]
    text = _environment().get_template(template).render(
        bindings="\n".join(lines), grid_x=x, workgroups=workgroups, **context
    )
    return Dispatch(
        with_helpers(text.strip()) + "\n", tuple(p.value for p in reads),
        tuple(p.value for p in writes), (x, y), dict(scratch), dict(tables),
    )


def _declare(index: int, port: Port, access: str) -> str:
    kind, step = ("vec4f", 4) if port.wide else ("vec2f", 2) if port.pair else ("f32", 1)
    count = max(1, prod(port.shape) // step)
    if port.words:
        kind, count = "u32", port.words
    return (f"@group(0) @binding({index}) var<storage, {access}> {port.var}: "
            f"array<{kind}, {count}>;  // {list(port.shape)}")


def over_elements(template: str, reads: Sequence[Port], write: Port,
                  scratch: Mapping[str, int] = {}, tables: Mapping[str, tuple[float, ...]] = {},
                  **context: object) -> Dispatch:
    """One invocation per element (or vec4f) of the output; `count` of them."""
    count = prod(write.shape) // (4 if write.wide else 1)
    return dispatch(template, reads, [write], -(-count // LANES), scratch, tables, count=count,
                    lanes=LANES, **context)


# --- index arithmetic ----------------------------------------------------------------------------


def broadcast_strides(shape: Sequence[int], out: Sequence[int]) -> tuple[int, ...]:
    """Element strides of a dense `shape` walked over `out`; 0 where numpy would repeat it."""
    padded = (1,) * (len(out) - len(shape)) + tuple(shape)
    return tuple(
        0 if size == 1 else prod(padded[axis + 1 :]) for axis, size in enumerate(padded)
    )


def coalesce(shape: Sequence[int], strides: Mapping[str, Sequence[int]]) -> tuple[
        tuple[int, ...], dict[str, tuple[int, ...]]]:
    """The same walk over fewer axes: unit axes go, neighbours that all operands cross evenly
    become one. At least one axis stays."""
    sizes: list[int] = []
    steps: dict[str, list[int]] = {name: [] for name in strides}
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if sizes and all(steps[n][-1] == s[axis] * size for n, s in strides.items()):
            sizes[-1] *= size
            for name, own in strides.items():
                steps[name][-1] = own[axis]
            continue
        sizes.append(size)
        for name, own in strides.items():
            steps[name].append(own[axis])
    if not sizes:
        return (1,), {name: (0,) for name in strides}
    return tuple(sizes), {name: tuple(own) for name, own in steps.items()}


def walk(flat: str, shape: Sequence[int], strides: Mapping[str, Sequence[int]],
         offsets: Mapping[str, int] = {}, prefix: str = "d") -> str:
    """WGSL statements: for the row-major index `flat` (u32) over `shape`, `let NAME = ...` (u32)
    for each entry of `strides`: its offset plus the sum of coordinate times stride."""
    lines, rest = [], flat
    coordinates = []
    for axis in reversed(range(len(shape))):
        if axis == 0:
            coordinates.append(rest)
        else:
            lines.append(f"let {prefix}{axis} = {rest} % {shape[axis]}u;")
            lines.append(f"let {prefix}{axis}_ = {rest} / {shape[axis]}u;")
            coordinates.append(f"{prefix}{axis}")
            rest = f"{prefix}{axis}_"
    coordinates.reverse()
    for name, own in strides.items():
        lines.append(f"let {name} = {_sum(coordinates, own, offsets.get(name, 0))};")
    return "\n  ".join(lines)


def _sum(coordinates: Sequence[str], strides: Sequence[int], offset: int) -> str:
    if offset < 0 or any(s < 0 for s in strides):
        terms = [f"i32({c}) * {s}" for c, s in zip(coordinates, strides, strict=True) if s]
        return f"u32({' + '.join([str(offset), *terms])})"
    # A stride of 1 is multiplied all the same: texts that differ in numbers only share a shader.
    terms = [f"{c} * {s}u" for c, s in zip(coordinates, strides, strict=True) if s]
    if offset or not terms:
        terms.append(f"{offset}u")
    return " + ".join(terms)
