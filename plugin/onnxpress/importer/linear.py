"""Matrix products: Gemm, MatMul, Einsum."""

from math import prod

from ..ops.matmul import MatMul
from ..ops.pointwise import FLOATS, whole
from .builder import Builder
from .call import Call


def matmul(b: Builder, call: Call) -> str:
    return multiply(b, call.input(0), call.input(1))


def multiply(b: Builder, x: str, y: str, dtype: str | None = None) -> str:
    """x @ y as in numpy: a vector is a row on the left and a column on the right."""
    left, right = b.rank(x) == 1, b.rank(y) == 1
    x = b.reshape(x, (1, *b.shape(x))) if left else x
    y = b.reshape(y, (*b.shape(y), 1)) if right else y
    if min(b.rank(x), b.rank(y)) < 2:
        raise ValueError("a scalar has no matrix product")
    out = b.emit(MatMul(), [x, y, b.zeros(b.shape(y)[-1])], dtype)
    shape = list(b.shape(out))
    if right:
        shape.pop()
    if left:
        shape.pop(-1 if right else -2)
    return b.reshape(out, shape)


def gemm(b: Builder, call: Call) -> str:
    """alpha * A' B' + beta * C. alpha scales B, which is usually constant."""
    x, y, c = call.input(0), call.input(1), call.optional(2)
    if b.rank(x) != 2 or b.rank(y) != 2:
        raise call.bad(f"{b.shape(x)} and {b.shape(y)} must be matrices")
    x = b.transpose(x, (1, 0)) if call.integer("transA", 0) else x
    y = b.transpose(y, (1, 0)) if call.integer("transB", 0) else y
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    if b.dtype(x) not in FLOATS and (alpha, beta) != (1, 1):
        return scaled_integers(b, multiply(b, x, y), c, (alpha, beta))
    y, c = scaled(b, y, alpha), c and scaled(b, c, beta)
    bias = c and bias_row(b, c, b.shape(y)[1])
    out = b.emit(MatMul(), [x, y, bias or b.zeros(b.shape(y)[1])], b.dtype(x))
    return out if bias or c is None else b.pointwise(lambda v, w: v + w, out, c)


def scaled_integers(b: Builder, product: str, c: str | None, factors: tuple[float, float]) -> str:
    """alpha * product + beta * c without its fraction."""
    alpha, beta = factors
    if c is None:
        return b.pointwise(lambda v: whole(v * alpha), product)
    return b.pointwise(lambda v, w: whole(v * alpha + w * beta), product, c)


def bias_row(b: Builder, c: str, n: int) -> str | None:
    """c as a row of n numbers; None if it varies from row to row."""
    shape = b.shape(c)
    if prod(shape) == 1:
        return b.expand(b.reshape(c, ()), (n,))
    return b.reshape(c, (n,)) if shape[-1:] == (n,) and prod(shape) == n else None


def scaled(b: Builder, x: str, factor: float) -> str:
    return x if factor == 1 else b.pointwise(lambda v: v * factor, x)


def einsum(b: Builder, call: Call) -> str:
    """One operand: transpose and sum. Two operands: one batched matrix product."""
    equation = call.attrs.get("equation")
    if not isinstance(equation, str):
        raise call.bad('attribute "equation" must be a string')
    terms, arrow, out = equation.replace(" ", "").partition("->")
    labels = terms.split(",")
    every = "".join(labels)
    if not arrow:
        out = "".join(sorted(c for c in set(every) if every.count(c) == 1))
    simple = all(t.isalpha() and len(set(t)) == len(t) for t in labels)
    if not simple or len(labels) > 2 or len(set(out)) != len(out) or not set(out) <= set(every):
        raise call.refused(f'"{equation}" is not supported; one or two operands whose letters '
                           "differ are")
    if len(labels) != len(call.inputs) or any(
        len(t) != b.rank(call.input(i)) for i, t in enumerate(labels)
    ):
        raise call.bad(f'"{equation}" does not fit its inputs')
    others = [set(out).union(*labels[:i], *labels[i + 1 :]) for i in range(len(labels))]
    operands = [
        summed(b, call.input(i), t, keep)
        for i, (t, keep) in enumerate(zip(labels, others, strict=True))
    ]
    name, term = operands[0] if len(operands) == 1 else _product(b, operands[0], operands[1], out)
    return b.transpose(name, [term.index(c) for c in out])


def summed(b: Builder, x: str, term: str, keep: set[str]) -> tuple[str, str]:
    """x[term] without the letters that appear nowhere else."""
    gone = [i for i, c in enumerate(term) if c not in keep]
    rest = "".join(c for c in term if c in keep)
    x = b.reduce(x, "sum", gone)
    return b.reshape(x, [n for i, n in enumerate(b.shape(x)) if i not in gone]), rest


def _product(b: Builder, left: tuple[str, str], right: tuple[str, str],
             out: str) -> tuple[str, str]:
    (x, p), (y, q) = left, right
    batch = [c for c in p if c in q and c in out]
    inner = [c for c in p if c in q and c not in out]
    rows, cols = [c for c in p if c not in q], [c for c in q if c not in p]
    sizes = dict(zip(p + q, b.shape(x) + b.shape(y), strict=True))
    m, k, n = (prod(sizes[c] for c in part) for part in (rows, inner, cols))
    lead = [sizes[c] for c in batch]
    x = b.transpose(x, [p.index(c) for c in (*batch, *rows, *inner)])
    y = b.transpose(y, [q.index(c) for c in (*batch, *inner, *cols)])
    z = multiply(b, b.reshape(x, (*lead, m, k)), b.reshape(y, (*lead, k, n)))
    return b.reshape(z, [sizes[c] for c in (*batch, *rows, *cols)]), "".join(batch + rows + cols)


LOWERINGS = {"MatMul": matmul, "Gemm": gemm, "Einsum": einsum}
