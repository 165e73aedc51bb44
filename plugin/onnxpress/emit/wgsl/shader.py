"""The parts of WGSL kernels: ports, dispatches, templates and index arithmetic.

A kernel's `lower(node, graph, device)` returns dispatches in the order in which they run. Every
shape is a number in the shader's text. Tensors are dense buffers, read as vec4f where shapes allow.

Lines of a template that begin with `//+ ` become code on devices with the feature `subgroups`. They
assume that `local_invocation_index` runs along each subgroup in order. WGSL does not promise that,
but drivers lay out workgroups of one dimension so. The golden check would find a driver that does
not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import prod
from pathlib import Path
from typing import Generic, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...graph.graph import Graph, Node, Shape
from ...weights.encodings import ENCODINGS
from .device import Device
from .expr import with_helpers

# Limits that every WebGPU device guarantees. Source: W3C, WebGPU, section 3.6.2.
MAX_BINDING = 128 << 20  # bytes of one storage buffer binding
MAX_GROUPS = 65535  # workgroups along one dimension of a dispatch
MAX_BUFFERS = 8  # storage buffers of one shader
LANES = 64  # invocations of a workgroup that shares nothing
BITS = {**{e.name: e.bits for e in ENCODINGS.values()}, "scale": 32}  # bits of an element


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the constant `name` with a buffer of its own.

    The constant's elements from `start` on fill `runs` runs of `length` elements. Runs start
    `pitch` elements apart in the buffer, with zeros between. `kind`: "f32" for decoded elements, an
    encoding for elements as the pack stores them, or "scale" for the encoding's f32 scales.
    """

    name: str
    start: int
    length: int
    runs: int = 1
    pitch: int = 0
    kind: str = "f32"

    @property
    def size(self) -> int:
        """Bytes of the buffer."""
        return self.bytes(max(self.length, self.runs * self.pitch))

    def bytes(self, elements: int) -> int:
        """Bytes of `elements` elements of this kind."""
        return elements * BITS[self.kind] // 8


# A shader reads a value or a part of a constant; it writes values only.
Bound = TypeVar("Bound", bound=str | Slice, covariant=True)


@dataclass(frozen=True)
class Port(Generic[Bound]):
    """One binding: the shader's variable `var` holds `value`, of `shape`. Its elements are f32,
    vec4f if `wide`, vec2f if `pair`, or the `words` u32 of packed weights."""

    var: str
    value: Bound
    shape: Shape
    wide: bool = False
    pair: bool = False
    words: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """A matrix product C[batch,m,n], summed over k. `image` is set if the product is a 3x3
    convolution of stride 1 that may take Winograd's algorithm: (images, rows, columns) of its
    output."""

    m: int
    n: int
    k: int
    batch: int
    image: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One run of a shader. `reads` and then `writes` are bound in order.

    `scratch`: temporaries that the dispatch writes first, name -> f32 elements. `tables`: constants
    that the kernel adds to the graph's. `work`: the product for which the tile was chosen.
    `operations`: floating-point operations, set on the dispatch that does most of a node's.
    `once`: the dispatch runs when the weights have arrived, and its result serves all runs.
    """

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


def dispatch(template: str, reads: Sequence[Port], writes: Sequence[Port[str]], workgroups: int,
             scratch: Mapping[str, int] = {}, tables: Mapping[str, tuple[float, ...]] = {},
             **context: object) -> Dispatch:
    """`template` rendered with `context`, to run in `workgroups` workgroups.

    The template also finds `bindings`, the declarations of all ports, and `grid_x`. Workgroups form
    a grid with rows of `grid_x`, so a workgroup's index is `group.x + group.y * grid_x`. The grid
    may exceed `workgroups`; the surplus must do nothing.
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


def over_elements(template: str, reads: Sequence[Port], write: Port[str],
                  scratch: Mapping[str, int] = {}, tables: Mapping[str, tuple[float, ...]] = {},
                  **context: object) -> Dispatch:
    """The dispatch with one invocation for each element of the output, or each vec4f if it is
    `wide`. The template finds their number as `count`."""
    count = prod(write.shape) // (4 if write.wide else 1)
    return dispatch(template, reads, [write], -(-count // LANES), scratch, tables, count=count,
                    lanes=LANES, **context)


# --- index arithmetic ----------------------------------------------------------------------------


def broadcast_strides(shape: Sequence[int], out: Sequence[int]) -> tuple[int, ...]:
    """The strides, in elements, with which a dense `shape` walks over the axes of `out`; 0 where
    numpy would repeat it."""
    padded = (1,) * (len(out) - len(shape)) + tuple(shape)
    return tuple(
        0 if size == 1 else prod(padded[axis + 1 :]) for axis, size in enumerate(padded)
    )


def coalesce(shape: Sequence[int], strides: Mapping[str, Sequence[int]]) -> tuple[
        tuple[int, ...], dict[str, tuple[int, ...]]]:
    """(lengths, strides of each operand) of the same walk over fewer axes. Axes of length 1 are
    dropped; two neighbours become one axis where every operand walks over both without a gap. At
    least one axis stays."""
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
    """WGSL statements `let NAME = ...` (u32), one for each operand in `strides`: the operand's
    offset at the row-major index `flat` (u32) over `shape`. That is its entry in `offsets` plus the
    sum of coordinate times stride. `prefix` starts the names of the coordinates."""
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
    # A stride of 1 is multiplied too: texts that differ only in numbers share a shader.
    terms = [f"{c} * {s}u" for c, s in zip(coordinates, strides, strict=True) if s]
    if offset or not terms:
        terms.append(f"{offset}u")
    return " + ".join(terms)
