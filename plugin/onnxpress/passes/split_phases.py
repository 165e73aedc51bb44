"""Computes a transposed convolution on its own image: no product with the zeros between pixels.

In conv2d(upsample_zero(x)) the output's pixels whose place leaves the same remainder by the stride,
a phase, meet the same taps of the kernel. So a phase is a convolution of x with these taps, and the
output is the phases interleaved.

1. Where the kernel is a multiple of the strides, all phases meet equally many taps and become
   blocks of channels of one convolution (sub-pixel convolution).
2. Elsewhere, and in groups, each phase is a convolution of its own: one for all would multiply
   with zeros where a phase has fewer taps, and would hold them.
3. The grid of phases may start before the output's first pixel, which the interleaving then crops,
   if that makes windows smaller.
4. The epilogue goes along, but for one with an operand of the output's shape, or with a computed
   vector where phases are blocks of channels: that is a pointwise operator on the output.
5. Dilated kernels and computed weights stay as they are.

It runs behind all fusing, which meets one convolution with the output's channels.

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
    """Along H or W: cells of x, taps, stride, cells before the spread image, cells of the output,
    the place of its first one in the grid of phases, and the phases of each convolution."""

    cells: int
    taps: int
    stride: int
    pad: int
    size: int
    start: int
    blocks: tuple[tuple[int, ...], ...]

    def met(self, block: Sequence[int]) -> list[tuple[int, int, int]]:
        """Of the taps that a block's phases meet: tap, phase, and the cell of x that it falls on,
        seen from the phase's own."""
        places = [(t, *divmod(self.pad + self.start - t, self.stride)) for t in range(self.taps)]
        return [(tap, phase, -back) for tap, back, phase in places if phase in block]

    def window(self, block: Sequence[int]) -> tuple[int, int]:
        """The first and the last cell that a block's phases meet. No window begins behind the own
        cell, since a convolution does not crop."""
        cells = [cell for _, _, cell in self.met(block)] or [0]
        return min(0, *cells), max(cells)

    def width(self, block: Sequence[int]) -> int:
        first, last = self.window(block)
        return last - first + 1

    @property
    def count(self) -> int:
        """Cells of a phase: what the output takes, and no fewer than any window makes of x."""
        behind = min(last for _, last in map(self.window, self.blocks))
        return max(-(-(self.start + self.size) // self.stride), self.cells - behind)

    def pads(self, block: Sequence[int]) -> tuple[int, int]:
        first, last = self.window(block)
        return -first, self.count - self.cells + last


def split_phases(graph: Graph, note: Callable[[str, str], None]) -> Graph:
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
    if any(n not in draft.constants for n in node.inputs[1:OWN]):
        return "its weights are computed"
    conv = Conv2d.of(node)
    if conv.dilations != (1, 1):
        return "its kernel is dilated"
    if conv.strides != (1, 1) or conv.pad_mode != "zero":
        return "it is no transposed convolution"
    return ""


def _split(draft: Draft, node: Node, spread: Node) -> None:
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
    """Both axes, with the starts that make windows smallest."""
    x, out = draft.shape(spread.inputs[0]), draft.shape(node.name)
    conv, kernel = Conv2d.of(node), draft.shape(node.inputs[1])[:2]
    strides, axes, apart = UpsampleZero.of(spread).strides, [], conv.groups > 1
    for i in (1, 0):  # blocks of channels are (y, x): with x apart, so is y
        apart = apart or kernel[i] % strides[i] > 0
        phases = tuple(range(strides[i]))
        axis = Axis(x[1 + i], kernel[i], strides[i], conv.pads[i], out[1 + i], 0,
                    tuple((p,) for p in phases) if apart else (phases,))
        axes.insert(0, min((replace(axis, start=s) for s in phases),
                           key=lambda a: sum(map(a.width, a.blocks))))
    return axes


def _is_vector(draft: Draft, name: str, node: Node, together: Sequence[int]) -> bool:
    """Whether an epilogue's operand can be one of the phases' convolutions."""
    shape, out = draft.shape(name), draft.shape(node.name)
    if int(np.prod(shape)) != out[-1]:
        return False
    return name in draft.constants or max(together) == 1


def _convolution(draft: Draft, node: Node, x: str, axes: Sequence[Axis],
                 blocks: Sequence[Sequence[int]], carried: bool) -> str:
    """The image of the phases in `blocks`, their channels one behind the other."""
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
    """w[KH,KW,C,O] as [window, window, C, phases * O]."""
    (size_y, size_x), (many_y, many_x) = zip(
        *((axis.width(block), len(block)) for axis, block in (rows, cols)), strict=True)
    out = np.zeros((size_y, size_x, w.shape[2], many_y, many_x, w.shape[3]), np.float32)
    for (i, row, y), (j, col, x) in product(*(axis.met(block) for axis, block in (rows, cols))):
        at = y - rows[0].window(rows[1])[0], x - cols[0].window(cols[1])[0]
        out[(*at, slice(None), rows[1].index(row), cols[1].index(col))] = w[i, j]
    return out.reshape(size_y, size_x, w.shape[2], -1)


def _repeated(draft: Draft, name: str, times: int) -> str:
    """A vector of one number per channel, for channels that repeat."""
    if times == 1:
        return name
    return draft.constant(f"{name}.phases", np.tile(draft.constants[name], times))
