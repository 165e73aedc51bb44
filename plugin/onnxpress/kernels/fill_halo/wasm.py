"""Halos in WebAssembly: zeros all around, or mirrored rows and then mirrored columns. Tensors of
whole numbers are filled 4 bytes at a time."""

import struct

from ...emit.layout import Needs, Step, Tensor
from ...emit.wasm.convert import words
from ...emit.wasm.emitter import Emitter
from ...emit.wasm.map import emit_fill, emit_map
from ...emit.wasm.nest import View
from ...emit.wasm.share import sync
from ...graph.expr import inp
from ...graph.graph import Graph, Node
from ...graph.storage import Storage
from ...ops.halo import FillHalo


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, e: Emitter) -> None:
    out, attrs = step.outputs[0], FillHalo.of(step.node)
    if attrs.mode == "zero":
        _zero(e, words(out), _word_of_zeros(out.storage))
    else:
        _mirror(e, words(out), attrs.pads, 1 if attrs.mode == "reflect" else 0)


def _word_of_zeros(storage: Storage) -> float:
    """The f32 with the bits of 4 bytes of elements, each of which stands for the value 0."""
    kind = {"f32": "<f", "i16": "<2h", "u8": "<4B"}[storage.kind]
    elements = [-storage.low] * (4 // storage.bytes)
    return struct.unpack("<f", struct.pack(kind, *elements))[0]


def _zero(e: Emitter, t: Tensor, value: float) -> None:
    """Fills each image's memory before its first pixel, between its rows, and behind its last
    pixel."""
    n, h, w, _ = t.shape
    image, row, pixel, _ = t.strides
    top, left, bottom, right = t.halo.extent
    head = top * row + left * pixel
    runs = (
        (t.base, 1, 0, head),
        (t.offset + w * pixel, h - 1, row, (right + left) * pixel),
        (t.offset + (h - 1) * row + w * pixel, 1, 0, right * pixel + bottom * row),
    )
    for offset, count, stride, run in runs:
        if count and run:
            emit_fill(e, value, (n, count, run), View(offset, (image, stride, 1)))


def _mirror(e: Emitter, t: Tensor, pads: tuple[int, int, int, int], skip: int) -> None:
    """Fills line -i on each side from line i * skip. Mode "reflect" (skip 1) mirrors without the
    edge; mode "edge" (skip 0) repeats the edge."""
    n, h, w, _ = t.shape
    image, row, pixel, _ = t.strides
    top, left, bottom, right = pads
    for axis, (before, after, length, step, start, lines, across, run) in enumerate((
        (top, bottom, h, row, t.offset, 1, 0, w * pixel),
        (left, right, w, pixel, t.offset - top * row, top + h + bottom, row, pixel),
    )):
        if axis:
            sync(e)  # mirrored columns read mirrored rows
        for first, count, sign in ((0, before, -1), (length - 1, after, 1)):
            if count:
                edge = start + first * step
                emit_map(
                    e, inp(0), (n, count, lines, run),
                    View(edge + sign * step, (image, sign * step, across, 1)),
                    [View(edge - sign * step * skip, (image, -sign * step * skip, across, 1))],
                )
