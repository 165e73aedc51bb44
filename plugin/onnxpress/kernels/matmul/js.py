"""matmul in JavaScript: tiles of 3 rows x 4 columns; for a single row of a, all of b streams by."""

from collections.abc import Sequence
from itertools import product
from math import prod

from ...emit.js.epilogue import epilogue
from ...emit.js.module import JsModule
from ...emit.layout import Needs, Packing, Step, Tensor, round_up
from ...emit.loops import broadcast_strides, collapse
from ...graph.graph import Graph, Node, Shape


def needs(node: Node, graph: Graph) -> Needs:
    a, b = (graph.shape(n) for n in node.inputs[:2])
    if _rows(a, b) == 1:
        return Needs(strided=False)
    depth, columns = b[-2:]
    packing = Packing("tiles", round_up(columns, 4) * depth, (depth, columns, 1))
    if node.inputs[1] in graph.constants and prod(b[:-2]) == 1:
        return Needs(packings={1: packing}, strided=False)
    return Needs(scratch=packing.elements, strided=False)


def _rows(a: Shape, b: Shape) -> int:
    """Rows of a that are multiplied by the same b: all of them if b has no batches."""
    return prod(a[:-1]) if prod(b[:-2]) == 1 else a[-2]


def emit(step: Step, program: JsModule) -> None:
    a, b, bias, *extras = step.inputs
    out = step.outputs[0]
    rows = _rows(a.shape, b.shape)
    depth, columns = b.shape[-2:]
    packed = b.packing is not None and b.packing.kind == "tiles"
    last = epilogue(step.node, out, tuple(extras))
    for batches, places, steps in _batches(a, b, out, rows):
        if rows == 1:
            name = program.function("matmul", "row.js", last=last,
                                    sums=program.sums(columns))
            more = []
        else:
            name = program.function("matmul", last=last, packed=packed,
                                    pack=program.packer("tiles"))
            more = [rows, step.scratch]
        program.call(name, *places, batches, *steps, depth, columns, bias.offset, *more,
                     *last.values)


def _batches(a: Tensor, b: Tensor, out: Tensor, rows: int
             ) -> list[tuple[int, Sequence[int], Sequence[int]]]:
    """One entry, and one call, for each run of batches: (number of batches, offsets of a, b and y,
    their steps from batch to batch)."""
    tensors = (a, b, out)
    starts = [t.offset for t in tensors]
    batch = out.shape[:-2]
    if rows == prod(a.shape[:-1]) and prod(b.shape[:-2]) == 1:
        return [(1, starts, (0, 0, 0))]
    lengths, strides = collapse(batch, [
        broadcast_strides(t.shape[:-2], t.strides[:-2], batch) for t in tensors])
    runs = []
    for index in product(*map(range, lengths[:-1])):
        shift = [sum(i * s for i, s in zip(index, own, strict=False)) for own in strides]
        runs.append((lengths[-1] if lengths else 1,
                     [s + d for s, d in zip(starts, shift, strict=True)],
                     tuple(own[-1] if own else 0 for own in strides)))
    return runs
