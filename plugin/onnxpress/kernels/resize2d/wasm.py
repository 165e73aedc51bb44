"""resize2d in WebAssembly: lanes are channels. Tables hold the byte offsets and weights of the taps
of rows and of columns."""

import struct
from functools import partial

from ...emit.layout import Needs, Step
from ...emit.wasm.asm import Function, function
from ...emit.wasm.emitter import Emitter
from ...emit.wasm.loops import store_run
from ...emit.wasm.nest import padded_shape
from ...emit.wasm.share import share
from ...graph.graph import Graph, Node
from ...ops.sample import Resize2d, Taps


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, e: Emitter) -> None:
    x, out = step.inputs[0], step.outputs[0]
    rows, cols = Resize2d.of(step.node).rows, Resize2d.of(step.node).cols
    n, oh, ow, channels = padded_shape(out)
    counts = len(rows[0][0]), len(cols[0][0])
    kernel = e.kernel(("resize", *counts), partial(_build, e, *counts))
    lines, columns = _table(e, rows, x.strides[1]), _table(e, cols, x.strides[2])
    with share(e, oh) as (first, many), e.times(n) as i:
        e.call(kernel, i * (4 * out.strides[0]) + first * (4 * out.strides[1]) + 4 * out.offset,
               i * (4 * x.strides[0]) + 4 * x.offset, channels, many, ow,
               4 * out.strides[1], 4 * out.strides[2], first * (8 * counts[0]) + lines, columns)


def _table(e: Emitter, taps: Taps, stride: int) -> int:
    """The byte address of a table of pairs (byte offset i32, weight f32): all taps of the first
    output, then of the second, and so on."""
    lines = zip(*taps, strict=True)
    return e.data(b"".join(struct.pack("<if", 4 * stride * i, w)
                           for indices, weights in lines
                           for i, w in zip(indices, weights, strict=True)))


def _build(e: Emitter, row_taps: int, col_taps: int) -> Function:
    """The function resize(...): `oh` x `ow` pixels of `n` channels; steps are distances in bytes.
    The weight of a single tap is 1 and is left out."""
    f, p = function("resize", "dst src n oh ow dst_row dst_px rows cols")
    lines = [f.local() for _ in range(row_taps)]
    taps = [[f.local() for _ in range(col_taps)] for _ in lines]
    down, right = f.many(row_taps), f.many(col_taps)
    d, out, col, left, x = (f.local() for _ in range(5))

    def compute(k: int) -> list[int]:
        return [_blend(e, f, taps, down, right, v) for v in range(k)]

    with f.times(p.oh):
        for i, line in enumerate(lines):
            f.get(p.src, p.rows).load("i32.load", 8 * i).op("i32.add").set(line)
            e.splat(f, p.rows, 8 * i + 4)
            f.set(down[i])
        f.get(p.dst).set(d).get(p.cols).set(col).get(p.ow).set(x)
        with f.times(x):
            for j in range(col_taps):
                for line, row in zip(lines, taps, strict=True):
                    f.get(line, col).load("i32.load", 8 * j).op("i32.add").set(row[j])
                e.splat(f, col, 8 * j + 4)
                f.set(right[j])
            f.get(d).set(out).get(p.n).set(left)
            store_run(f, left, out, [t for row in taps for t in row], compute)
            f.add_local(d, p.dst_px).add(col, 8 * col_taps)
        f.add_local(p.dst, p.dst_row).add(p.rows, 8 * row_taps)
    return f


def _blend(e: Emitter, f: Function, taps: list[list[int]], down: list[int], right: list[int],
           v: int) -> int:
    """A local with vector `v` of the pixel: the weighted sum, over rows, of weighted sums along the
    row."""
    line, total = f.many(2)
    for i, row in enumerate(taps):
        for j, tap in enumerate(row):
            f.get(tap).load("v128.load", 16 * v)
            if len(row) > 1:
                f.get(right[j]).op("f32x4.mul")
            if j:
                f.get(line).op("f32x4.add")
            f.set(line)
        f.get(line)
        if len(taps) > 1:
            f.get(down[i]).op("f32x4.mul")
        if i:
            f.get(total).op("f32x4.add")
        f.set(total)
    return total
