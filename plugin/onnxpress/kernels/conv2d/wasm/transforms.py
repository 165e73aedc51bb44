"""The transforms of Winograd's F(4x4, 3x3) on tiles of NHWC images, four channels to a vector.

Both transforms are separable: first the rows of a tile go into a temporary of 36 vectors, then its
columns are transformed.
"""

from collections.abc import Callable

from ....emit.wasm.asm import I32, V128, Function, function
from ....emit.wasm.emitter import Emitter
from ....emit.wasm.epilogue import Epilogue, Finisher

Push = Callable[[], object]  # pushes a vector


def input_transform(e: Emitter) -> Function:
    """The function V = B^T d B for `rows` x `columns` tiles d of 6x6 pixels, which start 4 pixels
    apart from address `a` on. V consists of 36 matrices [tile][channel], `v_pitch` bytes apart."""
    f, p = function("winograd_in", "a rows columns pixel row v v_pitch v_pixel temporary")
    x, at, left, c, step = f.many(5, I32)
    tile, line = f.many(2, I32)
    d, q = f.many(6), f.many(4)
    weights = _constants(f, 2, 4, 5)
    f.get(p.v_pitch).i32(6).op("i32.mul").set(step)
    with f.times(p.rows):
        f.get(p.a).set(tile).get(p.columns).set(left)
        with f.times(left):
            f.i32(0).set(c)
            with f.loop():
                f.get(tile, c).op("i32.add").set(line)
                for i in range(6):
                    f.get(line).set(x)
                    for j in range(6):
                        f.get(x).load("v128.load").set(d[j]).add_local(x, p.pixel)
                    for j, push in enumerate(_input_row(e, f, d, q, weights)):
                        f.get(p.temporary)
                        push()
                        f.store("v128.store", 16 * (6 * i + j))
                    f.add_local(line, p.row)
                f.get(p.v, c).op("i32.add").set(line)
                for j in range(6):
                    for i in range(6):
                        f.get(p.temporary).load("v128.load", 16 * (6 * i + j)).set(d[i])
                    f.get(line).set(at)
                    for push in _input_row(e, f, d, q, weights):
                        f.get(at)
                        push()
                        f.store("v128.store").add_local(at, step)
                    f.add_local(line, p.v_pitch)
                f.add(c, 16).get(c, p.v_pixel).op("i32.lt_u").br_if(0)
            f.get(tile, p.pixel).i32(2).op("i32.shl", "i32.add").set(tile)
            f.add_local(p.v, p.v_pixel)
        f.get(p.a, p.row).i32(2).op("i32.shl", "i32.add").set(p.a)
    return f


def output_transform(e: Emitter, finish: Epilogue) -> Function:
    """The function out = finish(A^T m A + bias) for `rows` x `columns` tiles of 4x4 pixels and
    `size` bytes of each pixel.

    `top` rows and `left` columns of the image remain. Outputs of a tile beyond them are stored on
    the last row or column. Stores run upwards and leftwards, so the right output follows and
    overwrites them.
    """
    names = "out rows columns top left pixel row m m_pitch m_pixel size bias temporary"
    names += finish.params
    f, p = function("winograd_out", names)
    finisher = Finisher(e, f, finish, [getattr(p, x) for x in finish.params.split()])
    tile, at, line, c, wide, remaining = f.many(6, I32)
    down, across = f.many(3, I32), f.many(3, I32)
    d, q, bias, value = f.many(6), f.many(4), f.local(V128), f.local(V128)
    weights = _constants(f, 2, 4, 8)
    with f.times(p.rows):
        f.get(p.out).set(tile).get(p.columns).set(remaining).get(p.left).set(wide)
        _clamp_steps(f, p.top, p.row, down)
        with f.times(remaining):
            _clamp_steps(f, wide, p.pixel, across)
            f.i32(0).set(c)
            with f.loop():
                f.get(p.bias, c).op("i32.add").load("v128.load").set(bias)
                f.get(p.m, c).op("i32.add").set(at)
                for i in range(6):
                    for j in range(6):
                        f.get(at).load("v128.load").set(d[j]).add_local(at, p.m_pitch)
                    for j, push in enumerate(_output_row(e, f, d, q, weights)):
                        f.get(p.temporary)
                        push()
                        f.store("v128.store", 16 * (4 * i + j))
                for j in (3, 2, 1, 0):
                    for i in range(6):
                        f.get(p.temporary).load("v128.load", 16 * (4 * i + j)).set(d[i])
                    f.get(tile, c, *across[j - 1 : j]).op(*["i32.add"] * (2 if j else 1)).set(line)
                    pushes = _output_row(e, f, d, q, weights)
                    for i in (3, 2, 1, 0):
                        pushes[i]()
                        f.get(bias).op("f32x4.add").set(value)
                        f.get(line, *down[i - 1 : i]).op(*["i32.add"] * (i > 0)).set(at)
                        finisher.store(at, c, value)
                f.add(c, 16).get(c, p.size).op("i32.lt_u").br_if(0)
            f.get(tile, p.pixel).i32(2).op("i32.shl", "i32.add").set(tile)
            f.add(wide, -4).add_local(p.m, p.m_pixel)
        f.get(p.out, p.row).i32(2).op("i32.shl", "i32.add").set(p.out).add(p.top, -4)
    return f


def _constants(f: Function, *numbers: int) -> dict[int, int]:
    """Number -> a vector local that holds it in all lanes."""
    held = {}
    for n in numbers:
        held[n] = f.local(V128)
        f.f32x4(n).set(held[n])
    return held


def _clamp_steps(f: Function, left: int, pitch: int, steps: list[int]) -> None:
    """steps[i - 1] = min(i, left - 1) * pitch for i = 1, 2, 3. `left` is at least 1."""
    for i, step in enumerate(steps, 1):
        f.i32(i).get(left).i32(1).op("i32.sub").i32(i).get(left).op("i32.lt_s", "select")
        f.get(pitch).op("i32.mul").set(step)


def _input_row(e: Emitter, f: Function, d: list[int], q: list[int],
               k: dict[int, int]) -> list[Push]:
    """Functions that push the six elements of B^T d. The sums that they share are put into `q`
    first."""

    def fma(a: int, weight: int, c: Push, sign: int) -> Push:
        return lambda: e.fma(f, a, k[weight], c, sign)

    def pair(op: str) -> Push:
        return lambda: f.get(q[0], q[1]).op(op)

    fma(d[2], 4, lambda: f.get(d[4]), -1)()
    f.set(q[0])
    fma(d[1], 4, lambda: f.get(d[3]), -1)()
    f.set(q[1])
    f.get(d[4], d[2]).op("f32x4.sub").set(q[2])
    f.get(d[3], d[1]).op("f32x4.sub").set(q[3])
    return [
        fma(d[0], 4, fma(d[2], 5, lambda: f.get(d[4]), -1), 1), pair("f32x4.add"),
        pair("f32x4.sub"), fma(q[3], 2, lambda: f.get(q[2]), 1),
        fma(q[3], 2, lambda: f.get(q[2]), -1),
        fma(d[1], 4, fma(d[3], 5, lambda: f.get(d[5]), -1), 1),
    ]


def _output_row(e: Emitter, f: Function, d: list[int], q: list[int],
                k: dict[int, int]) -> list[Push]:
    """Functions that push the four elements of A^T d. The sums that they share are put into `q`
    first."""
    for i, (a, op, b) in enumerate(((1, "add", 2), (1, "sub", 2), (3, "add", 4), (3, "sub", 4))):
        f.get(d[a], d[b]).op(f"f32x4.{op}").set(q[i])
    return [
        lambda: f.get(d[0], q[0], q[2]).op("f32x4.add", "f32x4.add"),
        lambda: e.fma(f, q[3], k[2], lambda: f.get(q[1])),
        lambda: e.fma(f, q[2], k[4], lambda: f.get(q[0])),
        lambda: e.fma(f, q[3], k[8], lambda: f.get(q[1], d[5]).op("f32x4.add")),
    ]
