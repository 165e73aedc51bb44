"""Reductions on the GPU: how a workgroup's invocations share the rows that they fold.

A tensor is seen as [outputs, length]: the kept axes, and the axes that are folded, each walked
with its own strides. A workgroup is `along` x `across` invocations: `across` outputs at once, so
that neighbours read neighbours where the last axis is kept; `along` share one row and meet in a
tree. A row may be cut into `parts` that different workgroups fold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from .shader import Dispatch, Port, coalesce, dispatch, walk

GROUP = 256  # invocations, the guaranteed limit
ENOUGH = 64  # workgroups below which a long row is cut
MIN_PART = 128  # rows shorter than two of these stay whole; 512 is 5 to 9 % slower on an H100


@dataclass(frozen=True, slots=True)
class Rows:
    """`output_places` and `element_places` are WGSL statements: for each operand, NAME_o from
    `o` and NAME_r from `r`, in units of f32, or of vec4f where `wide`."""

    outputs: int
    length: int
    wide: bool
    across: int
    along: int
    parts: int
    output_places: str
    element_places: str

    @property
    def type(self) -> str:
        return "vec4f" if self.wide else "f32"

    @property
    def tiles(self) -> int:
        return -(-self.outputs // self.across)

    @property
    def run(self) -> int:
        """Elements of a row in one part; the last part may have fewer."""
        return -(-self.length // self.parts)


def view(shape: Sequence[int], axes: Sequence[int], strides: Mapping[str, Sequence[int]],
         cut: bool = False, wide: bool = True) -> Rows:
    """`shape` folded over `axes`; `strides`: operand -> strides over `shape`, in elements.
    `cut` allows parts, `wide` allows vec4f."""
    kept = [a for a in range(len(shape)) if a not in axes]
    outer, o_strides = _pick(shape, kept, strides)
    inner, r_strides = _pick(shape, list(axes), strides)
    last_kept = shape[-1] > 1 and len(shape) - 1 in kept
    fours = shape[-1] % 4 == 0 and all(own[-1] == 1 for own in strides.values())
    wide = wide and last_kept and fours
    if wide:
        outer = (*outer[:-1], outer[-1] // 4)
        o_strides = {n: (*(s // 4 for s in own[:-1]), own[-1]) for n, own in o_strides.items()}
        r_strides = {n: tuple(s // 4 for s in own) for n, own in r_strides.items()}
    outputs, length = prod(outer), prod(inner)
    across = min(16, _power(outputs)) if last_kept else 1
    along = min(GROUP // across, _power(length))
    across = max(across, min(64 // along, _power(outputs)) if along < 64 else 1)
    tiles = -(-outputs // across)
    parts = 1
    if cut and tiles < ENOUGH and length >= 2 * MIN_PART:
        parts = min(length // MIN_PART, 2 * ENOUGH // tiles)
        parts = -(-length // -(-length // parts))  # none is empty
    return Rows(
        outputs, length, wide, across, along, parts,
        walk("o", outer, {f"{n}_o": s for n, s in o_strides.items()}, prefix="p"),
        walk("r", inner, {f"{n}_r": s for n, s in r_strides.items()}, prefix="q"),
    )


def fold(template: str, rows: Rows, reads: Sequence[Port], write: Port,
         scratch: Mapping[str, int] = {}, **context: object) -> Dispatch:
    return dispatch(template, reads, [write], rows.tiles * rows.parts, scratch, rows=rows,
                    **context)


def _pick(shape: Sequence[int], axes: Sequence[int], strides: Mapping[str, Sequence[int]]):
    return coalesce([shape[a] for a in axes],
                    {n: [own[a] for a in axes] for n, own in strides.items()})


def _power(n: int) -> int:
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()
