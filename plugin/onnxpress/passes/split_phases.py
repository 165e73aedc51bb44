"""Computes a transposed convolution without products with the zeros between pixels.

In conv2d(upsample_zero(x)) a phase is the set of output pixels whose place has one remainder by
the stride. All pixels of a phase meet the same taps of the kernel, and no zeros. So each phase is a
convolution of x with these taps, and the output is the phases interleaved. Along one axis with
stride 2, 3 taps and 1 cell of padding:

    output cell    0    1    2    3    4       phase 0 (cells 0, 2, 4): tap 1 on x[i]
    spread image   x0   0    x1   0    x2      phase 1 (cells 1, 3):    tap 0 on x[i],
                                                                       tap 2 on x[i + 1]

1. Where the kernel is a multiple of the strides, all phases meet equally many taps. They become
   blocks of channels of one convolution (sub-pixel convolution).
2. Elsewhere, and in groups, each phase is a convolution of its own. One convolution for all would
   store zero weights and multiply with them where a phase has fewer taps.
3. The grid of phases may start before the output's first pixel if that makes windows smaller. The
   interleaving then crops what is before that pixel.
4. The epilogue moves into the phases. It becomes a pointwise operator on the output if an operand
   has the output's shape, or is a computed vector while phases are blocks of channels.
5. Dilated kernels and computed weights stay as they are.

The pass runs behind all fusing, which needs one convolution with the output's channels.

Source: Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ..graph.expr import inp
from ..graph.graph import Graph, Node
from ..ops.conv import OWN, Conv2d
from ..ops.move import Interleave, UpsampleZero
from ..ops.pointwise import Pointwise
from .draft import Draft


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis, H or W, of a transposed convolution. A block is the phases of one convolution."""

    cells: int  # of x along this axis
    taps: int  # of the kernel along this axis
    stride: int  # cells of the spread image per cell of x; also the number of phases
    pad: int  # cells of padding before the spread image
    size: int  # cells of the output
    start: int  # the output's first cell, counted in the grid of phases: 0..stride - 1
    blocks: tuple[tuple[int, ...], ...]  # convolution -> the phases that it computes

    def met(self, block: Sequence[int]) -> list[tuple[int, int, int]]:
        """(tap, phase, cell) for each tap that a phase of `block` meets. `cell` is the cell of x
        under that tap, relative to the phase's own cell."""
        places = [(t, *divmod(self.pad + self.start - t, self.stride)) for t in range(self.taps)]
        return [(tap, phase, -back) for tap, back, phase in places if phase in block]

    def window(self, block: Sequence[int]) -> tuple[int, int]:
        """(first, last) cell of x that the phases of `block` meet, relative to their own cell.
        `first` is at most 0, since a convolution cannot crop x."""
        cells = [cell for _, _, cell in self.met(block)] or [0]
        return min(0, *cells), max(cells)

    def width(self, block: Sequence[int]) -> int:
        """Cells of x in the window of `block`."""
        first, last = self.window(block)
        return last - first + 1

    @property
    def count(self) -> int:
        """Cells that each phase computes: at least what the output takes of it, and at least as
        many as any window makes of x without cropping."""
        behind = min(last for _, last in map(self.window, self.blocks))
        return max(-(-(self.start + self.size) // self.stride), self.cells - behind)

    def pads(self, block: Sequence[int]) -> tuple[int, int]:
        """Cells of padding (before, after) x in the convolution of `block`."""
        first, last = self.window(block)
        return -first, self.count - self.cells + last


def split_phases(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    """The graph whose transposed convolutions run phase by phase."""
    draft = Draft(graph)
    for node in graph.nodes:
        spread = draft.makers.get(node.inputs[0]) if isinstance(node.attrs, Conv2d) else None
        if spread is None or not isinstance(spread.attrs, UpsampleZero):
            draft.keep(node)
            continue
        reason = _obstacle(draft, node)
        if reason:
            note(f"%{node.name}", f"multiplies with the zeros between pixels: {reason}")
            draft.keep(node)
        else:
            _split(draft, node, spread)
    return draft.finish()


def _obstacle(draft: Draft, node: Node) -> str:
    """Why `node` cannot be split; "" if it can."""
    if any(n not in draft.constants for n in node.inputs[1:OWN]):
        return "its weights are computed"
    conv = Conv2d.of(node)
    if conv.dilations != (1, 1):
        return "its kernel is dilated"
    if conv.strides != (1, 1) or conv.pad_mode != "zero":
        return "it is no transposed convolution"
    return ""


def _split(draft: Draft, node: Node, spread: Node) -> None:
    """Adds the phases of the convolution `node`, which reads the upsampling `spread`."""
    axes = _axes(draft, node, spread)
    together = [len(a.blocks[0]) for a in axes]
    carried = all(_is_vector(draft, n, node, together) for n in node.inputs[OWN:])
    images = tuple(_convolution(draft, node, spread.inputs[0], axes, blocks, carried)
                   for blocks in product(*(a.blocks for a in axes)))
    rows, cols = axes
    attrs = Interleave(strides=UpsampleZero.of(spread).strides, starts=(rows.start, cols.start),
                       size=(rows.size, cols.size))
    shape = draft.shape(node.name)
    if carried:
        draft.add(attrs, images, shape, node.name)
        return
    pixels = draft.add(attrs, images, shape, draft.fresh(f"{node.name}.pixels"), like=node.name)
    draft.add(Pointwise(expr=Conv2d.of(node).epilogue or inp(0)), (pixels, *node.inputs[OWN:]),
              shape, node.name)


def _axes(draft: Draft, node: Node, spread: Node) -> list[Axis]:
    """The axes H and W, each with the start that makes its windows smallest."""
    x, out = draft.shape(spread.inputs[0]), draft.shape(node.name)
    conv, kernel = Conv2d.of(node), draft.shape(node.inputs[1])[:2]
    strides, axes, apart = UpsampleZero.of(spread).strides, [], conv.groups > 1
    for i in (1, 0):  # W, then H: where the phases along W are apart, so are those along H
        apart = apart or kernel[i] % strides[i] > 0
        phases = tuple(range(strides[i]))
        axis = Axis(x[1 + i], kernel[i], strides[i], conv.pads[i], out[1 + i], 0,
                    tuple((p,) for p in phases) if apart else (phases,))
        axes.insert(0, min((replace(axis, start=s) for s in phases),
                           key=lambda a: sum(map(a.width, a.blocks))))
    return axes


def _is_vector(draft: Draft, name: str, node: Node, together: Sequence[int]) -> bool:
    """Whether an operand of the epilogue can also serve the convolutions of the phases."""
    shape, out = draft.shape(name), draft.shape(node.name)
    if int(np.prod(shape)) != out[-1]:
        return False
    return name in draft.constants or max(together) == 1


def _convolution(draft: Draft, node: Node, x: str, axes: Sequence[Axis],
                 blocks: Sequence[Sequence[int]], carried: bool) -> str:
    """The name of the image [N, rows, columns, phases * O] that holds the phases in `blocks`."""
    rows, cols = pair = tuple(zip(axes, blocks, strict=True))
    (top, bottom), (left, right) = (axis.pads(block) for axis, block in pair)
    many = len(blocks[0]) * len(blocks[1])
    weights = _weights(draft.constants[node.inputs[1]], *pair)
    extras = node.inputs[OWN:] if carried else ()
    inputs = (x, draft.constant(f"{node.inputs[1]}.phases", weights),
              *(_repeated(draft, n, many) for n in (node.inputs[2], *extras)))
    attrs = replace(Conv2d.of(node), pads=(top, left, bottom, right))
    if not carried:
        attrs = replace(attrs, epilogue=None)
    shape = (draft.shape(x)[0], rows[0].count, cols[0].count, weights.shape[3])
    return draft.add(attrs, inputs, shape, draft.fresh(f"{node.name}.phases"), like=node.name)


def _weights(w: np.ndarray, rows: tuple[Axis, Sequence[int]],
             cols: tuple[Axis, Sequence[int]]) -> np.ndarray:
    """w[KH,KW,C,O] as [window along H, window along W, C, phases * O]."""
    (size_y, size_x), (many_y, many_x) = zip(
        *((axis.width(block), len(block)) for axis, block in (rows, cols)), strict=True)
    out = np.zeros((size_y, size_x, w.shape[2], many_y, many_x, w.shape[3]), np.float32)
    for (i, row, y), (j, col, x) in product(*(axis.met(block) for axis, block in (rows, cols))):
        at = y - rows[0].window(rows[1])[0], x - cols[0].window(cols[1])[0]
        out[(*at, slice(None), rows[1].index(row), cols[1].index(col))] = w[i, j]
    return out.reshape(size_y, size_x, w.shape[2], -1)


def _repeated(draft: Draft, name: str, times: int) -> str:
    """The constant vector `name`, one number per channel, repeated for `times` phases."""
    if times == 1:
        return name
    return draft.constant(f"{name}.phases", np.tile(draft.constants[name], times))
