"""One row times a matrix in rows of k: out[n] = finish(bias[n] + sum_k a[k] * b[k, n]).

The matrix is read once, in the order in which it lies, so nothing repacks it. The sums stay in the
output, which the L1 cache holds, while ROWS rows of b at a time stream past. Threads share the
columns.
"""

from ..layout import ALIGN
from .asm import I32, V128, Function, function
from .emitter import Affine, Emitter
from .epilogue import IDENTITY, Epilogue, Finisher
from .gemm import Gemm
from .share import share

ROWS = 8  # rows of b that one pass adds; chosen by trial


def emit_gemv(e: Emitter, g: Gemm) -> None:
    """Emits the calls for a product of one pixel with one run; `g.b_row` is not 0."""
    with share(e, g.n, ALIGN) as (first, count):
        _emit_columns(e, g, first * 4, count * 4)


def _emit_columns(e: Emitter, g: Gemm, first: Affine, size: Affine) -> None:
    """Emits the calls for `size` bytes of columns from byte `first` on."""
    out, bias = g.out + first, [] if g.bias is None else [g.bias + first]
    key = ("gemv_start", bool(bias))
    e.call(e.kernel(key, lambda: _start(bool(bias))), out, size, *bias)
    whole = g.run // ROWS * ROWS
    for rows, at, count in ((ROWS, 0, whole), (1, whole, g.run - whole)):
        if count:
            kernel = e.kernel(("gemv", rows), lambda rows=rows: _rows(e, rows))
            e.call(kernel, g.a + 4 * at, g.b + at * g.b_row + first, g.b_row, out, size,
                   count // rows)
    if g.epilogue != IDENTITY:
        kernel = e.kernel(("gemv_finish", g.epilogue), lambda: _finish(e, g.epilogue))
        e.call(kernel, out, size, *g.epilogue.args(g.extras, first))


def _start(bias: bool) -> Function:
    """out = bias, or 0."""
    f, p = function("gemv_start", "out size" + (" bias" if bias else ""))
    n = f.local(I32)
    with f.loop():
        f.get(p.out, n).op("i32.add")
        if bias:
            f.get(p.bias, n).op("i32.add").load("v128.load")
        else:
            f.f32x4(0.0)
        f.store("v128.store")
        f.add(n, 16).get(n, p.size).op("i32.lt_u").br_if(0)
    return f


def _rows(e: Emitter, rows: int) -> Function:
    """The function gemv(a, b, b_row, out, size, passes): out += a[k] * b[k] for `passes` * `rows`
    values of k."""
    f, p = function(f"gemv{rows}", "a b b_row out size passes")
    x, row = f.many(rows), [p.b, *f.many(rows - 1, I32)]
    acc, value, at, left = f.local(V128), f.local(V128), f.local(I32), f.local(I32)
    with f.times(p.passes):
        for i in range(rows):
            e.splat(f, p.a, 4 * i)
            f.set(x[i])
            if i:
                f.get(row[i - 1], p.b_row).op("i32.add").set(row[i])
        f.get(row[-1], p.b_row).op("i32.add")  # the next pass starts here
        f.get(p.out).set(at).get(p.size).set(left)
        with f.loop():
            f.get(at).load("v128.load").set(acc)
            for i in range(rows):
                f.get(row[i]).load("v128.load").set(value).add(row[i], 16)
                e.madd(f, x[i], value, acc)
            f.get(at, acc).store("v128.store").add(at, 16)
            f.get(left).i32(16).op("i32.sub").tee(left).i32(0).op("i32.gt_s").br_if(0)
        f.set(p.b).add(p.a, 4 * rows)
    return f


def _finish(e: Emitter, epilogue: Epilogue) -> Function:
    f, p = function("gemv_finish", "out size" + epilogue.params)
    finisher = Finisher(e, f, epilogue, [getattr(p, x) for x in epilogue.params.split()])
    n, at, acc = f.local(I32), f.local(I32), f.local(V128)
    with f.loop():
        f.get(p.out, n).op("i32.add").tee(at).load("v128.load").set(acc)
        finisher.store(at, n, acc)
        f.add(n, 16).get(n, p.size).op("i32.lt_u").br_if(0)
    return f
