"""Moves a transpose up through its producers, as near to the graph's inputs as it goes.

The producers then work in the order that their reader wants, and can fold into it.

1. transpose(pad(x)) becomes pad(transpose(x)), which moves fewer elements.
   transpose(pointwise(x, constants)) becomes pointwise(transpose(x), transposed constants). Both
   happen only if the way up ends at a graph input. Otherwise it ends at an operator whose epilogue
   the pointwise operator would no longer be.
2. In transpose(pointwise(constants)), a dequantized weight, only the constants are transposed.
3. A producer with other readers, or with several computed operands, keeps its place.
"""

from collections.abc import Callable

from ..graph.graph import Graph, Node
from ..ops import follow
from ..ops.layouts import Perm, unpermute
from ..ops.move import Pad, Reshape, Transpose
from ..ops.pointwise import Pointwise
from .axes import permute
from .draft import Draft

LAYOUTS = ((0, 2, 3, 1), (0, 3, 1, 2))  # NCHW to NHWC, and back


def hoist_transposes(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        if isinstance(node.attrs, Transpose):
            _hoist(draft, node.inputs[0], node.attrs.perm, node.name)
        else:
            draft.keep(node)
    graph = draft.finish()
    for node in graph.nodes:
        if not isinstance(node.attrs, Transpose):
            continue
        inside = node.inputs[0] not in graph.inputs and node.name not in graph.outputs
        if inside and node.attrs.perm in LAYOUTS:
            note(f"%{node.name}", f"{list(graph.shape(node.inputs[0]))} changes its layout by "
                                  f"{list(node.attrs.perm)} at run time")
    return graph


def _hoist(draft: Draft, source: str, perm: Perm, out: str) -> None:
    """Adds the value `out` = transpose(source, perm), with the transpose as far up as it goes."""
    shape = permute(draft.shape(source), perm)
    maker = _passable(draft, source)
    if maker is None or not _starts_at_the_top(draft, source):
        draft.add(Transpose(perm=perm), (source,), shape, out, like=source)
        return
    inputs = tuple(_transposed(draft, n, perm) for n in maker.inputs)
    inverse = unpermute(tuple(range(len(perm))), perm)
    draft.add(follow(maker.attrs, inverse), inputs, shape, out, like=source)


def _passable(draft: Draft, name: str) -> Node | None:
    """The operator that makes `name`; None unless a transpose can move above it."""
    maker = draft.sole(name, (Pad, Pointwise))
    return maker if maker and len(_computed(draft, maker)) <= 1 else None


def _computed(draft: Draft, node: Node) -> list[str]:
    """The operands that are not constants."""
    return [n for n in node.inputs if n not in draft.constants]


def _starts_at_the_top(draft: Draft, name: str) -> bool:
    """Whether a transpose can move from the value up to a graph input or to constants."""
    while name not in draft.graph.inputs:
        maker = _passable(draft, name)
        if maker is None:
            return False
        above = _computed(draft, maker)
        if not above:
            return True
        (name,) = above
    return True


def _transposed(draft: Draft, name: str, perm: Perm) -> str:
    """The operand `name` of a pointwise operator or pad, transposed by `perm`."""
    shape = draft.shape(name)
    lifted = (1,) * (len(perm) - len(shape)) + shape
    if all(n == 1 for n in lifted):
        return name
    if name in draft.constants:
        array = draft.constants[name].reshape(lifted).transpose(perm)
        return draft.constant(f"{name}.moved", array)
    if lifted != shape:
        name = draft.add(Reshape(), (name,), lifted, draft.fresh(f"{name}.lifted"))
    out = draft.fresh(f"{name}.moved")
    _hoist(draft, name, perm, out)
    return out
