"""Folds a pad into the convolution or pool that reads it.

1. Zeros around H and W before a zero-padded convolution add to the convolution's own pads.
2. Reflected or repeated edges of H and W before an unpadded convolution become its pad mode.
3. Zeros before an average pool add to its pads, if the pool counts padded cells or has no pads.
4. Pads of -inf before a max pool add to its pads. So do zeros, if the input cannot be negative.
5. A pad of N or C stays, and so does the pad for its other readers.
"""

from collections.abc import Callable
from dataclasses import replace

from ..graph.expr import Expr
from ..graph.graph import Graph, Node
from ..ops import OPS
from ..ops.conv import Conv2d
from ..ops.move import Pad
from ..ops.pool import Pool2d
from .draft import Draft
from .epilogue import expression


def fold_pad(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        pad = draft.makers.get(draft.now(node.inputs[0]))
        if pad is not None and isinstance(pad.attrs, Pad) and isinstance(
                node.attrs, Conv2d | Pool2d):
            result = _fold(draft, pad, node)
            if isinstance(result, Node):
                node = result
            else:
                note(f"%{pad.name}", f"is not folded into {node.op} %{node.name}: {result}")
        draft.keep(node)
    return draft.finish()


def _fold(draft: Draft, pad: Node, node: Node) -> Node | str:
    """`node` with the work of `pad`, or the reason why it cannot do it."""
    border, attrs = Pad.of(pad), node.attrs
    before, after = border.before, border.after
    if before[0] or before[3] or after[0] or after[3]:
        return "it pads more than height and width"
    if isinstance(attrs, Conv2d):
        found = _into_conv(border, attrs)
    else:
        found = _into_pool(border, Pool2d.of(node), _is_positive(draft, pad.inputs[0]))
    if isinstance(found, str):
        return found
    pads = (before[1], before[2], after[1], after[2])
    top, left, bottom, right = (a + b for a, b in zip(found.pads, pads, strict=True))
    padded = replace(found, pads=(top, left, bottom, right))
    return Node(padded, (pad.inputs[0], *node.inputs[1:]), node.outputs)


def _into_conv(border: Pad, conv: Conv2d) -> Conv2d | str:
    """The convolution with the pad mode of `border`, or the reason why that is impossible."""
    value = border.value or 0.0
    if border.mode == "constant":
        if value != 0:
            return f"it pads with {value}"
        if conv.pad_mode != "zero" and any(conv.pads):
            return "the convolution's own padding is of another mode"
        return replace(conv, pad_mode="zero")
    if any(conv.pads):
        return "the convolution has padding of its own"
    return replace(conv, pad_mode=border.mode)


def _into_pool(border: Pad, pool: Pool2d, positive: bool) -> Pool2d | str:
    """The pool that counts the cells of `border`, or the reason why that is impossible.
    `positive`: no element of the image is below 0."""
    value = border.value or 0.0
    if border.mode != "constant":
        return f"a pool cannot pad by {border.mode}"
    if pool.kind == "avg":
        if value != 0 or (any(pool.pads) and not pool.count_include_pad):
            return "the pool counts the padded cells differently"
        return replace(pool, count_include_pad=True)
    if value != float("-inf") and (value != 0 or not positive):
        return f"{value} may win against the input"
    return pool


def _is_positive(draft: Draft, name: str) -> bool:
    """Whether every element of the value is known to be at least 0."""
    maker = draft.makers.get(name)
    if maker is None:
        return False
    if OPS[maker.op].picks(maker):
        return all(_is_positive(draft, n) for n in maker.inputs)
    return _at_least_zero(expression(maker))


def _at_least_zero(expr: Expr | None) -> bool:
    """Whether the expression is at least 0 for all inputs."""
    if expr is None:
        return False
    if expr.op == "const":
        return expr.value >= 0
    if expr.op == "max":
        return any(map(_at_least_zero, expr.args))
    if expr.op == "min":
        return all(map(_at_least_zero, expr.args))
    return expr.op in ("abs", "exp", "sqrt")
