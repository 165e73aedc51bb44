"""Winograd's algorithm F(4x4, 3x3): a tile of 4x4 outputs takes 36 products instead of 144. A 2x2
kernel counts as a 3x3 one whose last taps are 0; it would take 64 products.

    Y = A^T [ sum_c (G g G^T) * (B^T d B) ] A

A block of tiles passes three stages: the input transform, 36 matrix products, and the output
transform with the epilogue. The block is small, so that the 36 matrices V[tile, c] and M[tile, o]
between the stages stay in the L2 cache.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, section 4.3.
"""

from dataclasses import dataclass
from functools import partial
from math import prod

from ....emit.layout import Packing, Step, Tensor, round_up
from ....emit.wasm import packings
from ....emit.wasm.emitter import Affine, Argument, Emitter, address
from ....emit.wasm.epilogue import epilogue
from ....emit.wasm.gemm import Gemm, emit_channels, emit_gemm
from ....emit.wasm.share import own, runs, share
from .conv import Algorithm, Conv, Extent
from .transforms import input_transform, output_transform

POINTS = 36  # 6 x 6, the pixels that a tile reads
TILES = 64  # tiles of a block, about: V and M of 128 channels take 1.2 MB each; chosen by trial
SHARED_ROWS = 6  # with fewer rows of tiles, threads share channels instead; chosen by trial
TEMPORARY = 4 * POINTS  # f32 elements at the start of scratch: 4 channels of one tile
# Times in ns, measured on one core at 3.6 GHz: a multiply-add in one lane, 4 channels of one tile
# through both transforms, a weight read from memory.
MADD, TRANSFORM, WEIGHT = 1 / 28.0, 35.0, 0.5


def worthwhile(v: Conv) -> bool:
    """Whether Winograd's algorithm takes less time than a direct product."""
    if (v.strides, v.dilations, v.groups) != ((1, 1), (1, 1), 1):
        return False
    if not {v.kh, v.kw} <= {2, 3}:
        return False
    weights = v.kh * v.kw * v.c * v.o
    return time(v) < v.n * v.oh * v.ow * weights * MADD + weights * WEIGHT


def time(v: Conv) -> float:
    """Estimated time of products and transforms, in ns."""
    rows, columns = tiles(v)
    count = v.n * rows * columns
    products = POINTS * (count * v.c * v.o * MADD + v.c * v.o * WEIGHT)
    return products + count * -(-(v.c + v.o) // 4) * TRANSFORM


def tiles(v: Conv) -> tuple[int, int]:
    """(down, across): tiles that cover the output."""
    return -(-v.oh // 4), -(-v.ow // 4)


def extent(v: Conv) -> Extent:
    """The halo of x that the tiles touch; the last tiles may pass the output's border."""
    rows, columns = tiles(v)
    top, left = v.pads[:2]
    below, beyond = 4 * rows + 2 - top - v.height, 4 * columns + 2 - left - v.width
    return top, left, max(0, below), max(0, beyond)


def packing(v: Conv) -> Packing:
    return packings.winograd(v.kh, v.kw, v.c, v.o)


def scratch(v: Conv) -> int:
    """f32 elements of the temporary, V and M of one block."""
    rows, columns = _block(v)
    return TEMPORARY + POINTS * (_matrix(rows * columns, v.c) + _matrix(rows * columns, v.o))


def _block(v: Conv) -> tuple[int, int]:
    """(down, across): tiles of a block. It has whole rows of tiles, or a part of one row."""
    rows, columns = tiles(v)
    if columns > TILES:
        return 1, -(-columns // -(-columns // TILES))
    return min(rows, max(1, TILES // columns)), columns


def _matrix(count: int, channels: int) -> int:
    """f32 elements from one of the 36 matrices of `count` tiles to the next. It is no multiple of
    4 KB, because addresses at that distance share a set of the cache."""
    return round_up(count * round_up(channels, 4), 1024) + 80


# --- the calls -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Block:
    """A block of `height` x `width` tiles of one image, from tile (y, x) on.

    `tiles`: tiles for which V and M have room. `limit`: how many there are, if the step computes
    that. `channels`: (first, count) of the blocks of 8 output channels that this thread computes;
    None stands for all. `scratch`: byte address of the block's working memory.
    """

    image: Affine
    y: Affine
    x: Affine
    height: Argument
    width: int
    tiles: int
    limit: Affine | None
    channels: tuple[Affine, Affine] | None
    scratch: Affine


def emit(step: Step, v: Conv, e: Emitter) -> None:
    """Emits the calls for all blocks of tiles, image by image. Blocks at the right and bottom edge
    may be smaller.

    Threads share the rows of tiles. An image with few rows of tiles usually has many weights; then
    threads share the output channels instead, and each thread transforms the whole input.
    """
    rows, columns = tiles(v)
    high, wide = _block(v)
    scratch_at = own(e, step.scratch, scratch(v))

    def emit_row(y: Affine, height: Argument, channels: tuple[Affine, Affine] | None = None
                 ) -> None:
        """A row of blocks, `height` tiles high."""
        known = isinstance(height, int)
        for x, across, width in _parts(columns, wide):
            with e.times(across) as i:
                _emit_block(step, v, Block(
                    image=image, y=y, x=x + i * wide, height=height, width=width,
                    tiles=width * (height if known else high),
                    limit=None if known else height * width,
                    channels=channels, scratch=scratch_at), e)

    with e.times(v.n) as image:
        if rows >= SHARED_ROWS or v.o % 8:
            with share(e, rows) as (first, count), runs(e, first, count, high) as (y, height):
                emit_row(y, height)
        else:
            with share(e, v.o // 8) as channels:
                for y, down, height in _parts(rows, high):
                    with e.times(down) as j:
                        emit_row(y + j * high, height, channels)


def _parts(count: int, size: int) -> list[tuple[int, int, int]]:
    """`count` tiles as blocks of `size` and a rest: (first tile, number of blocks, their size)."""
    whole, rest = divmod(count, size)
    parts = [(0, whole, size), (whole * size, 1, rest)]
    return [p for p in parts if p[1] * p[2]]


def _emit_block(step: Step, v: Conv, at: Block, e: Emitter) -> None:
    """Emits the three stages of one block."""
    x, w, bias = step.inputs[:3]
    out = step.outputs[0]
    finish, extras = epilogue(step)
    v_pitch, m_pitch = (4 * _matrix(prod(_block(v)), n) for n in (v.c, v.o))
    v_pixel, m_pixel = 4 * round_up(v.c, 4), 4 * round_up(v.o, 4)
    v_at = at.scratch + 4 * TEMPORARY
    m_at = v_at + POINTS * v_pitch
    first, count = at.channels or (Affine(), None)
    channel, size = first * 32, m_pixel if count is None else count * 32

    def corner(t: Tensor) -> Affine:
        return (address(t) + at.image * (4 * t.strides[0]) + at.y * (16 * t.strides[1])
                + at.x * (16 * t.strides[2]))

    window = corner(x) + -4 * (v.pads[0] * x.strides[1] + v.pads[1] * x.strides[2])
    e.call(e.kernel(("winograd_in",), partial(input_transform, e)), window, at.height, at.width,
           4 * x.strides[2], 4 * x.strides[1], v_at, v_pitch, v_pixel, at.scratch)
    with e.times(POINTS) as point:
        product = Gemm(
            a=v_at + point * v_pitch, a_x=v_pixel, run=v.c, out=m_at + point * m_pitch,
            out_x=m_pixel, b=address(w) + point * (v.c * m_pixel), bias=None, n=v.o,
            width=at.tiles, limit=at.limit,
        )
        if count is None:
            emit_gemm(e, product)
        else:
            emit_channels(e, product, first, count)
    e.call(e.kernel(("winograd_out", finish), partial(output_transform, e, finish)),
           corner(out) + channel, at.height, at.width, at.y * -4 + v.oh, at.x * -4 + v.ow,
           4 * out.strides[2], 4 * out.strides[1], m_at + channel, m_pitch, m_pixel, size,
           address(bias) + channel, at.scratch, *finish.args(extras, channel))


WINOGRAD = Algorithm(worthwhile, packing, emit, align=4, extent=extent, scratch=scratch)
