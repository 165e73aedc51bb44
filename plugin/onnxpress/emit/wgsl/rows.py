"""Reductions on the GPU: how the invocations of a workgroup share rows.

A tensor is seen as x[outputs, length]: the product of the kept axes by the product of the folded
axes. A workgroup has `along` x `across` invocations. It folds `across` rows at once, so that
neighbours read neighbouring elements where the last axis is kept. `along` invocations share one row
and add up their results in a tree. A long row may be cut into `parts` for different workgroups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from ...graph.graph import Shape
from .shader import Dispatch, Port, coalesce, dispatch, walk

GROUP = 256  # invocations of a workgroup, WebGPU's guaranteed limit
ENOUGH = 64  # workgroups: with fewer, long rows are cut; chosen by trial
MIN_PART = 128  # elements of a part at least; with 512, an NVIDIA H100 is 5 to 9 % slower


@dataclass(frozen=True, slots=True)
class Rows:
    """How a reduction is divided. `output_places` and `element_places` are WGSL statements: for
    each operand they set NAME_o, the offset of row `o`, and NAME_r, the offset of element `r` in
    the row. Offsets count f32, or vec4f if `wide`."""

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
        """Elements of one part of a row; the last part may have fewer."""
        return -(-self.length // self.parts)


def view(shape: Sequence[int], axes: Sequence[int], strides: Mapping[str, Sequence[int]],
         cut: bool = False, wide: bool = True) -> Rows:
    """The division of a fold over `axes` of `shape`. `strides`: operand -> its strides over
    `shape`, in elements. `cut` allows parts of rows, `wide` allows vec4f."""
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


def fold(template: str, rows: Rows, reads: Sequence[Port], write: Port[str],
         scratch: Mapping[str, int] = {}, **context: object) -> Dispatch:
    """The dispatch of `template` for `rows`: one workgroup for each tile of rows and part."""
    return dispatch(template, reads, [write], rows.tiles * rows.parts, scratch, {}, rows=rows,
                    **context)


def _pick(shape: Sequence[int], axes: Sequence[int], strides: Mapping[str, Sequence[int]]
          ) -> tuple[Shape, dict[str, Shape]]:
    """(lengths, strides of each operand) of `axes` only, with fewer axes where that is possible."""
    return coalesce([shape[a] for a in axes],
                    {n: [own[a] for a in axes] for n, own in strides.items()})


def _power(n: int) -> int:
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()
