"""Winograd convolution F(4x4, 3x3): 36 products per tile of 4x4 outputs.

A direct convolution takes 144 products, or 64 for a 2x2 kernel, which counts as 3x3 with last taps
of 0.

Y = A^T [ sum_c (G g G^T) * (B^T d B) ] A

Blocks of tiles go through three stages: input transform, 36 matrix products, output transform with
the epilogue. So the 36 matrices V[tile, c] and M[tile, o] between the stages stay in the L2 cache.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, section 4.3.
"""

from math import prod
from types import SimpleNamespace

from ....emit.layout import Packing, Step, Tensor, round_up
from ....emit.wasm import packings
from ....emit.wasm.emitter import Affine, Emitter, address
from ....emit.wasm.epilogue import epilogue
from ....emit.wasm.gemm import Gemm, emit_channels, emit_gemm
from ....emit.wasm.share import own, runs, share
from .conv import Conv, Extent, Way
from .transforms import input_transform, output_transform

POINTS = 36
TILES = 64  # about as many per block; V and M of 128 channels then take 1.2 MB each
SHARED_ROWS = 6  # from so many rows of tiles on, threads share the rows
TEMPORARY = 4 * POINTS  # elements at the start of scratch: one tile half transformed
# Costs in nanoseconds on one core at 3.6 GHz: a multiply-add in a lane, a transform of one tile for
# a vector of channels, a weight that comes from memory.
MADD, TRANSFORM, WEIGHT = 1 / 28.0, 35.0, 0.5


def worthwhile(v: Conv) -> bool:
    """Whether the transforms cost less than the multiplications that they save."""
    if (v.strides, v.dilations, v.groups) != ((1, 1), (1, 1), 1):
        return False
    if not {v.kh, v.kw} <= {2, 3}:
        return False
    weights = v.kh * v.kw * v.c * v.o
    return time(v) < v.n * v.oh * v.ow * weights * MADD + weights * WEIGHT


def time(v: Conv) -> float:
    """Nanoseconds of products and transforms."""
    rows, columns = tiles(v)
    count = v.n * rows * columns
    products = POINTS * (count * v.c * v.o * MADD + v.c * v.o * WEIGHT)
    return products + count * -(-(v.c + v.o) // 4) * TRANSFORM


def tiles(v: Conv) -> tuple[int, int]:
    """Tiles down and across the output."""
    return -(-v.oh // 4), -(-v.ow // 4)


def extent(v: Conv) -> Extent:
    """The halo that the tiles touch. The last tiles may reach past the output."""
    rows, columns = tiles(v)
    top, left = v.pads[:2]
    return top, left, max(0, 4 * rows + 2 - top - v.h), max(0, 4 * columns + 2 - left - v.w)


def packing(v: Conv) -> Packing:
    return packings.winograd(v.kh, v.kw, v.c, v.o)


def scratch(v: Conv) -> int:
    rows, columns = _block(v)
    return TEMPORARY + POINTS * (_matrix(rows * columns, v.c) + _matrix(rows * columns, v.o))


def _block(v: Conv) -> tuple[int, int]:
    """Tiles down and across a block: whole rows of tiles, or a part of one row."""
    rows, columns = tiles(v)
    if columns > TILES:
        return 1, -(-columns // -(-columns // TILES))
    return min(rows, max(1, TILES // columns)), columns


def _matrix(count: int, channels: int) -> int:
    """Elements from one of the 36 matrices to the next. The distance is no multiple of 4 KB,
    because such matrices would share cache sets."""
    return round_up(count * round_up(channels, 4), 1024) + 80


# --- the calls -----------------------------------------------------------------------------------


def emit(step: Step, v: Conv, e: Emitter) -> None:
    """Blocks of tiles, image by image. Blocks at the right and bottom edge may be smaller.

    Threads share the rows of tiles. If these are few, the weights are many. Then threads share the
    output channels, and each transforms the whole input.
    """
    rows, columns = tiles(v)
    high, wide = _block(v)
    scratch_at = own(e, step.scratch, scratch(v))

    def emit_row(y: Affine, height: "Affine | int", block: Affine | None = None,
                 blocks: Affine | None = None) -> None:
        for x, across, width in _parts(columns, wide):
            with e.times(across) as i:
                known = isinstance(height, int)
                _emit_block(step, v, SimpleNamespace(
                    image=image, y=y, x=x + i * wide, height=height, width=width,
                    tiles=width * (height if known else high),
                    limit=None if known else height * width,
                    block=block, blocks=blocks, scratch=scratch_at), e)

    with e.times(v.n) as image:
        if rows >= SHARED_ROWS or v.o % 8:
            with share(e, rows) as (first, count), runs(e, first, count, high) as (y, height):
                emit_row(y, height)
        else:
            with share(e, v.o // 8) as (block, blocks):
                for y, down, height in _parts(rows, high):
                    with e.times(down) as j:
                        emit_row(y + j * high, height, block, blocks)


def _parts(count: int, size: int) -> list[tuple[int, int, int]]:
    """(first, how many, size) of the whole blocks, and of the remaining one."""
    whole, rest = divmod(count, size)
    parts = [(0, whole, size), (whole * size, 1, rest)]
    return [p for p in parts if p[1] * p[2]]


def _emit_block(step: Step, v: Conv, at: SimpleNamespace, e: Emitter) -> None:
    x, w, bias = step.inputs[:3]
    out = step.outputs[0]
    finish, extras = epilogue(step, 3)
    v_pitch, m_pitch = (4 * _matrix(prod(_block(v)), n) for n in (v.c, v.o))
    v_pixel, m_pixel = 4 * round_up(v.c, 4), 4 * round_up(v.o, 4)
    v_at = at.scratch + 4 * TEMPORARY
    m_at = v_at + POINTS * v_pitch
    channel, size = (at.block * 32, at.blocks * 32) if at.blocks else (Affine(), m_pixel)

    def corner(t: Tensor) -> Affine:
        return (address(t) + at.image * (4 * t.strides[0]) + at.y * (16 * t.strides[1])
                + at.x * (16 * t.strides[2]))

    first = corner(x) + -4 * (v.pads[0] * x.strides[1] + v.pads[1] * x.strides[2])
    e.call(e.kernel(("winograd_in",), lambda: input_transform(e)), first, at.height, at.width,
           4 * x.strides[2], 4 * x.strides[1], v_at, v_pitch, v_pixel, at.scratch)
    with e.times(POINTS) as point:
        product = Gemm(
            a=v_at + point * v_pitch, a_x=v_pixel, run=v.c, out=m_at + point * m_pitch,
            out_x=m_pixel, b=address(w) + point * (v.c * m_pixel), bias=None, n=v.o,
            width=at.tiles, limit=at.limit,
        )
        if at.blocks:
            emit_channels(e, product, at.block, at.blocks)
        else:
            emit_gemm(e, product)
    e.call(e.kernel(("winograd_out", finish), lambda: output_transform(e, finish)),
           corner(out) + channel, at.height, at.width, at.y * -4 + v.oh, at.x * -4 + v.ow,
           4 * out.strides[2], 4 * out.strides[1], m_at + channel, m_pitch, m_pixel, size,
           address(bias) + channel, at.scratch, *finish.args(extras, channel))


WINOGRAD = Way(worthwhile, packing, emit, align=4, extent=extent, scratch=scratch)
