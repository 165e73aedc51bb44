"""Moves a reshape below the pointwise operator f that reads it.

f then reads the convolution, matmul or normalization above directly, and can fold into it.

1. f(reshape(x), ...) becomes reshape(f(x, ...)). Each other operand of f must be one number, one
   number per channel of a last axis that the reshape keeps, or of the output's shape. Operands of
   the output's shape are reshaped too, which costs nothing at run time.
2. A chain of pointwise operators moves up one by one (1-D convolution, batch norm, ReLU; the scale
   of attention).
3. A reshape of any other producer's result stays, since nothing would be gained.
"""

from collections.abc import Callable

from ..graph.graph import Graph, Node
from ..ops.attrs import WithEpilogue
from ..ops.move import Reshape
from ..ops.pointwise import Pointwise, quant_of
from .draft import Draft


def sink_reshapes(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        plain = isinstance(node.attrs, Pointwise) and quant_of(node) is None
        if not plain or not _swap(draft, node):
            draft.keep(node)
    return draft.finish()


def _swap(draft: Draft, node: Node) -> bool:
    """Whether `node` reads a reshape that can follow it; if so, adds both in the new order."""
    out = draft.shape(node.name)
    for name in node.inputs:
        reshape = draft.sole(name, Reshape)
        source = reshape.inputs[0] if reshape and draft.shape(name) == out else None
        if source is None or draft.sole(source, (WithEpilogue, Pointwise)) is None:
            continue
        inner = draft.shape(source)
        if not all(_fits(draft.shape(n), out, inner) for n in node.inputs):
            continue
        inputs = tuple(source if n == name else _reshaped(draft, n, out, inner)
                       for n in node.inputs)
        made = draft.fresh(f"{node.name}.inner")
        draft.add(node.attrs, inputs, inner, made, like=node.name)
        draft.uses[made] = 1
        draft.add(Reshape(), (made,), out, node.name)
        return True
    return False


def _fits(shape: tuple[int, ...], out: tuple[int, ...], inner: tuple[int, ...]) -> bool:
    """Whether an operand of `shape` can serve the operator in shape `inner` as it does in `out`."""
    if shape == out or all(n == 1 for n in shape):
        return True
    return inner[-1:] == out[-1:] == shape[-1:] and all(n == 1 for n in shape[:-1])


def _reshaped(draft: Draft, name: str, out: tuple[int, ...], inner: tuple[int, ...]) -> str:
    """The operand `name` of an operator of shape `out`, in a shape for output shape `inner`."""
    shape = draft.shape(name)
    want = inner if shape == out else shape[-1:]
    if shape == want:
        return name
    if name in draft.constants:
        return draft.constant(f"{name}.inner", draft.constants[name].reshape(want))
    return draft.add(Reshape(), (name,), want, draft.fresh(f"{name}.inner"))
