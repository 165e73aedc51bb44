"""Lets the reader of a pad do the padding.

1. Zeros around H and W before a zero-padded convolution add to the convolution's own pads.
2. Reflected or repeated edges of H and W before an unpadded convolution become its pad mode.
3. Zeros before an average pool add to its pads, if it counts padded cells or has none of its own.
4. -inf before a max pool adds to its pads; so do zeros, if the input cannot be negative.
5. A pad that touches N or C, or another reader, stays.
"""

from collections.abc import Callable

from ..graph.expr import Expr
from ..graph.graph import Graph, Node
from .draft import Draft


def fold_pad(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        pad = draft.makers.get(draft.now(node.inputs[0]))
        if pad is not None and pad.op == "pad" and node.op in ("conv2d", "pool2d"):
            result = _fold(draft, pad, node)
            if isinstance(result, Node):
                node = result
            else:
                note(f"%{pad.name}", f"is not folded into {node.op} %{node.name}: {result}")
        draft.keep(node)
    return draft.finish()


def _fold(draft: Draft, pad: Node, node: Node) -> Node | str:
    """`node` reading what `pad` reads, or why not."""
    before, after = pad.attrs["before"], pad.attrs["after"]
    mode, value = pad.attrs["mode"], pad.attrs.get("value", 0.0)
    if before[0] or before[3] or after[0] or after[3]:
        return "it pads more than height and width"
    pads = (before[1], before[2], after[1], after[2])
    own = tuple(node.attrs["pads"])
    extra: dict[str, object] = {}
    if node.op == "conv2d":
        if mode == "constant":
            if value != 0:
                return f"it pads with {value}"
            if node.attrs["pad_mode"] != "zero" and any(own):
                return "the convolution's own padding is of another mode"
            extra["pad_mode"] = "zero"
        elif any(own):
            return "the convolution has padding of its own"
        else:
            extra["pad_mode"] = mode
    elif mode != "constant":
        return f"a pool cannot pad by {mode}"
    elif node.attrs["kind"] == "avg":
        if value != 0 or (any(own) and not node.attrs["count_include_pad"]):
            return "the pool counts the padded cells differently"
        extra["count_include_pad"] = True
    elif value != float("-inf") and (value != 0 or not _is_positive(draft, pad.inputs[0])):
        return f"{value} may win against the input"
    total = tuple(a + b for a, b in zip(own, pads, strict=True))
    return Node(node.op, (pad.inputs[0], *node.inputs[1:]), node.outputs,
                {**node.attrs, "pads": total, **extra})


def _is_positive(draft: Draft, name: str) -> bool:
    """Whether every element is known to be 0 or more."""
    maker = draft.makers.get(name)
    if maker is None:
        return False
    if maker.op in ("reshape", "transpose", "slice", "expand") or (
            maker.op == "pool2d" and maker.attrs["kind"] == "max"):
        return _is_positive(draft, maker.inputs[0])
    return _at_least_zero(maker.attrs.get("expr") or maker.attrs.get("epilogue"))


def _at_least_zero(expr: Expr | None) -> bool:
    if expr is None:
        return False
    if expr.op == "const":
        return expr.value >= 0
    if expr.op == "max":
        return any(map(_at_least_zero, expr.args))
    if expr.op == "min":
        return all(map(_at_least_zero, expr.args))
    return expr.op in ("abs", "exp", "sqrt")
