"""matmul in WebAssembly: the tiles of `emit/wasm/gemm.py` for each batch.

A constant b of rank 2 is packed once; any other b is read in its own rows. For a single row of a, b
is not packed. Only outputs of rank 4 have padding behind a row. In other outputs, the vector that
passes the end of a row is overwritten by a later store (see emit_gemm).
"""

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from math import prod

from ...emit.layout import Needs, Step, Want, dot_packings, dot_wants
from ...emit.wasm import packings
from ...emit.wasm.emitter import Affine, Emitter, address
from ...emit.wasm.epilogue import epilogue
from ...emit.wasm.gemm import Gemm, emit_gemm
from ...emit.wasm.gemv import emit_gemv
from ...graph.graph import Graph, Node, Shape
from ...graph.storage import ELEMENT_BYTES, Dot
from ...ops.matmul import OWN, MatMul


def _packed(a: Shape, b: Shape, constant: bool) -> bool:
    """Whether b is packed: a constant matrix that several rows of a use."""
    return constant and len(b) == 2 and prod(a[:-1]) > 1


def needs(node: Node, graph: Graph) -> Needs:
    """A packed b if several rows use it, and the storage of whole numbers."""
    a, b = (graph.shape(name) for name in node.inputs[:2])
    out = graph.shape(node.name)
    constant = node.inputs[1] in graph.constants
    dot = MatMul.of(node).dot
    if dot:
        layouts = {1: packings.dot(dot.x.kind, 1, *b), **dot_packings(dot, b[1])}
    else:
        dot, layouts = Dot(), {1: packings.gemm(*b)} if _packed(a, b, constant) else {}
    return Needs(
        inputs={0: Want(storage=dot.x), **dot_wants(dot, OWN)},
        output=Want(align=4, storage=dot.out),
        packings=layouts,
        same=tuple(i for i, name in enumerate(node.inputs[OWN:], OWN) if graph.shape(name) == out),
    )


def emit(step: Step, e: Emitter) -> None:
    """One product for each batch. Batches whose rows follow the rows of the batch before, with the
    same b, become more rows of one product."""
    a, b, bias = step.inputs[:3]
    out = step.outputs[0]
    finish, extras = epilogue(step)
    packed = finish.whole or _packed(a.shape, b.shape, b.packing is not None)
    lengths = list(out.shape[:-2])
    steps = [_batch_strides(t.shape, t.strides, len(lengths)) for t in (a, b, out)]
    rows = out.shape[-2]
    while lengths and steps[1][-1] == 0 and (
        steps[0][-1] == rows * a.strides[-2] and steps[2][-1] == rows * out.strides[-2]
    ):
        rows *= lengths.pop()
        for s in steps:
            s.pop()
    with ExitStack() as stack:
        counters = [stack.enter_context(e.times(n)) for n in lengths]
        at = [
            sum((i * (t.storage.bytes * s) for i, s in zip(counters, strides, strict=True)),
                Affine(address(t)))
            for t, strides in zip((a, b, out), steps, strict=True)
        ]
        product = Gemm(
            a=at[0], b=at[1], out=at[2], bias=Affine(address(bias)), n=out.shape[-1],
            run=-(-a.shape[-1] * a.storage.bytes // ELEMENT_BYTES["f32"]), width=rows,
            a_x=a.storage.bytes * a.strides[-2], out_x=out.storage.bytes * out.strides[-2],
            dot=a.storage.kind, b_row=0 if packed else 4 * b.strides[-2], epilogue=finish,
            extras=extras,
        )
        if rows > 1 or packed:
            emit_gemm(e, product)
            return
        # The last vector of a row may reach into the next batch's row, which is stored later.
        with e.alone() if lengths and out.shape[-1] % 4 else nullcontext():
            emit_gemv(e, product)


def _batch_strides(shape: Sequence[int], strides: Sequence[int], axes: int) -> list[int]:
    """An operand's strides along the output's `axes` batch axes; 0 where the operand repeats."""
    own = [0 if n == 1 else s for n, s in zip(shape[:-2], strides[:-2], strict=True)]
    return [0] * (axes - len(own)) + own
