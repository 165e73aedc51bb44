"""The same module, which also notes which bytes of the heap its functions touch.

Each byte of the heap has a mark, `MARKS` bytes after the heap's start: READ if it was read before
it was written, WRITTEN if it was written. No kernel computes an address from data, except where its
operator declares it (`Op.reads_by_data`). So the marks of a run on a heap of zeros hold for any
heap.
"""

from ...emit.wasm.asm import I32, PAGE, V128, Function
from ...emit.wasm.emitter import Emitter

READ, WRITTEN = 1, 2
_F32 = 0x7D
# instruction -> (bytes that it touches, type of the stored value)
_TOUCHES = {
    "i32.load": (4, None), "f32.load": (4, None), "v128.load": (16, None),
    "v128.load32_splat": (4, None), "v128.load32_zero": (4, None), "v128.load64_zero": (8, None),
    "v128.load8x8_s": (8, None), "v128.load8x8_u": (8, None), "v128.load16x4_s": (8, None),
    "v128.load16x4_u": (8, None),
    "i32.store": (4, I32), "f32.store": (4, _F32), "v128.store": (16, V128),
    "v128.store32_lane": (4, V128), "v128.store64_lane": (8, V128),
}


def traced(e: Emitter) -> tuple[bytes, int]:
    """(the finished module of `e` with marks, where the marks begin in bytes)"""
    marks = e.pages * PAGE
    plain = e.module.functions
    e.module.functions = [_traced(f, marks) for f in plain]
    code = e.module.encode(2 * e.pages)
    e.module.functions = plain
    return code, marks


def _traced(f: Function, marks: int) -> Function:
    g = Function(f.name, f.params, f.result)
    g.index, g.export, g.locals = f.index, f.export, [*f.locals]
    at, mark = g.local(), g.local(V128)
    held = {kind: g.local(kind) for kind in (I32, _F32, V128)}
    done = 0
    for start, name, offset in f.accesses:
        size, stored = _TOUCHES[name]
        g.body += f.body[done:start]
        done = start
        if stored is not None:
            g.set(held[stored])
        g.tee(at).get(at, at).load("v128.load", marks + offset).tee(mark)
        if stored is None:
            g.i32x4(*_each(READ, size)).get(mark, mark).i32(1).op("i32x4.shr_u", "v128.or")
            g.op("v128.andnot", "v128.or")  # READ, unless there is a mark already
        else:
            g.i32x4(*_each(WRITTEN, size)).op("v128.or")
        g.store("v128.store", marks + offset)
        if stored is not None:
            g.get(held[stored])
    g.body += f.body[done:]
    return g


def _each(mark: int, size: int) -> list[int]:
    """`mark` in each of the first `size` of 16 bytes, as words."""
    return [mark * 0x01010101 if 4 * i < size else 0 for i in range(4)]
