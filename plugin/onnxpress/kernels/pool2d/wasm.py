"""pool2d in WebAssembly: lanes are channels. Output rows and columns are cut into bands. All
windows of a band are clipped alike, so the code tests no bounds. The largest band is the interior.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

from ...emit.layout import Needs, Step
from ...emit.wasm.asm import Function, function
from ...emit.wasm.emitter import Emitter
from ...emit.wasm.loops import store_run
from ...emit.wasm.map import emit_fill
from ...emit.wasm.nest import View, padded_shape
from ...emit.wasm.share import share
from ...graph.graph import Graph, Node
from ...ops.pool import Pool2d


@dataclass(frozen=True, slots=True)
class Band:
    """Outputs first..first + count along one axis. Each reads `taps` elements; the first output's
    window starts at element `start`. An average divides by `cells` elements."""

    first: int
    count: int
    start: int
    taps: int
    cells: int


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, e: Emitter) -> None:
    x, out, attrs = step.inputs[0], step.outputs[0], Pool2d.of(step.node)
    rows, cols = (_bands(attrs, axis, x.shape[1 + axis]) for axis in (0, 1))
    channels = padded_shape(out)[3]
    largest = attrs.kind == "max"
    (sy, sx), (dy, dx) = attrs.strides, attrs.dilations
    build = e.kernel(("pool", largest), partial(_build, e, largest))
    for row in rows:
        for col in cols:
            at = out.offset + row.first * out.strides[1] + col.first * out.strides[2]
            shape = (x.shape[0], row.count, col.count, channels)
            if not row.taps * col.taps:
                emit_fill(e, -inf if largest else 0.0, shape, View(at, out.strides))
                continue
            src = x.offset + row.start * x.strides[1] + col.start * x.strides[2]
            cells = e.data(struct.pack("<f", row.cells * col.cells))
            with share(e, row.count) as (first, many), e.times(shape[0]) as i:
                e.call(build, i * (4 * out.strides[0]) + first * (4 * out.strides[1]) + 4 * at,
                       i * (4 * x.strides[0]) + first * (4 * sy * x.strides[1]) + 4 * src,
                       channels, many, col.count, row.taps, col.taps,
                       4 * out.strides[1], 4 * out.strides[2],
                       4 * sy * x.strides[1], 4 * sx * x.strides[2],
                       4 * dy * x.strides[1], 4 * dx * x.strides[2], cells)


def _bands(attrs: Pool2d, axis: int, length: int) -> list[Band]:
    """The bands along `axis`, 0 for rows and 1 for columns, of an image with `length` of them."""
    kernel, stride, dilation = (
        pair[axis] for pair in (attrs.kernel, attrs.strides, attrs.dilations))
    before, after = attrs.pads[axis], attrs.pads[axis + 2]
    bands: list[Band] = []
    for out in range(attrs.size[axis]):
        cells = [out * stride - before + k * dilation for k in range(kernel)]
        inside = [c for c in cells if 0 <= c < length]
        padded = [c for c in cells if c < length + after]
        counted = len(padded) if attrs.count_include_pad else len(inside)
        start = inside[0] if inside else 0
        last = bands[-1] if bands else None
        if last and (last.taps, last.cells) == (len(inside), counted) and (
            not inside or last.start + last.count * stride == start
        ):
            bands[-1] = Band(last.first, last.count + 1, last.start, last.taps, last.cells)
        else:
            bands.append(Band(out, 1, start, len(inside), counted))
    return bands


def _build(e: Emitter, largest: bool) -> Function:
    """The function pool(...): `oh` x `ow` outputs over windows of `kh` x `kw` taps, for `n`
    channels. Steps are distances in bytes; `cells` is the address of an average's divisor."""
    f, p = function("pool", "dst src n oh ow kh kw dst_row dst_px src_row src_px tap_row tap_px "
                            "cells")
    x, d, s, out, left, at, tap, line, i, j = (f.local() for _ in range(10))
    divisor = f.many(1)[0]
    if not largest:
        e.splat(f, p.cells, 0)
        f.set(divisor)

    def compute(k: int) -> Sequence[int]:
        sums = f.many(k)
        for acc in sums:
            f.f32x4(-inf if largest else 0.0).set(acc)
        f.get(at).set(line).get(p.kh).set(i)
        with f.times(i):
            f.get(line).set(tap).get(p.kw).set(j)
            with f.times(j):
                for v, acc in enumerate(sums):
                    f.get(acc, tap).load("v128.load", 16 * v)
                    f.op("f32x4.pmax" if largest else "f32x4.add").set(acc)
                f.add_local(tap, p.tap_px)
            f.add_local(line, p.tap_row)
        if not largest:
            for acc in sums:
                f.get(acc, divisor).op("f32x4.div").set(acc)
        return sums

    with f.times(p.oh):
        f.get(p.dst).set(d).get(p.src).set(s).get(p.ow).set(x)
        with f.times(x):
            f.get(s).set(at).get(d).set(out).get(p.n).set(left)
            store_run(f, left, out, [at], compute)
            f.add_local(d, p.dst_px).add_local(s, p.src_px)
        f.add_local(p.dst, p.dst_row).add_local(p.src, p.src_row)
    return f
