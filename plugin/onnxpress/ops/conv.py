"""conv2d: x[N,H,W,C], w[KH,KW,C/groups,O], b[O], *extras -> [N,OH,OW,O], with an epilogue.

Attributes: strides, pads (top, left, bottom, right), dilations, groups, pad_mode, epilogue.
Output channels stand group by group, as in ONNX.

conv2d_chain: x, then the operands of each of `links` but for its first -> what the last one makes.
Each link is a conv2d node that reads as its first operand what the one before it made.
"""

from collections.abc import Iterator
from math import prod

import numpy as np

from ..graph.expr import evaluate
from ..graph.graph import Node
from .base import Arrays, Op, Shape, Shapes, doubles, need

NUMPY_PAD = {"zero": "constant", "reflect": "reflect", "edge": "edge"}


def _infer(node: Node, shapes: Shapes) -> tuple[Shape]:
    x, w, bias = shapes[:3]
    need(len(x) == 4 and len(w) == 4, f"x {x} and weights {w} must have rank 4")
    (n, h, width, c), (kh, kw, cg, o) = x, w
    groups = node.attrs["groups"]
    need(groups > 0 and cg * groups == c and o % groups == 0,
         f"{c} channels in {groups} groups do not fit weights for {cg} in, {o} out")
    need(bias == (o,), f"bias {bias} does not fit {o} output channels")
    top, left, bottom, right = node.attrs["pads"]
    dy, dx = node.attrs["dilations"]
    sy, sx = node.attrs["strides"]
    need(min(sy, sx, dy, dx) > 0, "strides and dilations must be positive")
    oh = (h + top + bottom - (kh - 1) * dy - 1) // sy + 1
    ow = (width + left + right - (kw - 1) * dx - 1) // sx + 1
    need(oh > 0 and ow > 0, f"the {kh}x{kw} window does not fit the {h}x{width} image")
    return ((n, oh, ow, o),)


def _reference(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    ((n, oh, ow, o),) = _infer(node, [a.shape for a in arrays])
    x, w, bias, *extras = doubles(arrays)
    top, left, bottom, right = node.attrs["pads"]
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), NUMPY_PAD[node.attrs["pad_mode"]])
    (sy, sx), (dy, dx) = node.attrs["strides"], node.attrs["dilations"]
    kh, kw = w.shape[:2]
    out = np.zeros((n, oh, ow, o))
    for i in range(kh):
        for j in range(kw):
            rows = slice(i * dy, i * dy + (oh - 1) * sy + 1, sy)
            cols = slice(j * dx, j * dx + (ow - 1) * sx + 1, sx)
            out += _tap(x[:, rows, cols], w[i, j], node.attrs["groups"])
    out += bias
    epilogue = node.attrs.get("epilogue")
    return (out if epilogue is None else evaluate(epilogue, [out, *extras]),)


def _tap(x: np.ndarray, w: np.ndarray, groups: int) -> np.ndarray:
    """x[N,OH,OW,C] through one tap w[C/groups,O]."""
    if groups == 1:
        return x @ w
    if w.shape[0] == 1:
        return np.repeat(x, w.shape[1] // groups, axis=3) * w[0]
    parts = zip(np.split(x, groups, axis=3), np.split(w, groups, axis=1), strict=True)
    return np.concatenate([a @ b for a, b in parts], axis=3)


def _flops(node: Node, shapes: Shapes) -> int:
    return 2 * prod(shapes[1][:3]) * prod(_infer(node, shapes)[0])


def _ulps(node: Node, shapes: Shapes) -> float:
    return 2.0 * prod(shapes[1][:3])


# --- chains --------------------------------------------------------------------------------------


def links(node: Node, shapes: Shapes) -> Iterator[tuple[Node, int, Shapes, Shape]]:
    """(link, index of its operand 1 among the chain's, its operands' shapes, its output's)"""
    out, at = shapes[0], 1
    for link in node.attrs["links"]:
        operands = (out, *shapes[at : at + len(link.inputs) - 1])
        (out,) = _infer(link, operands)
        yield link, at, operands, out
        at += len(link.inputs) - 1


def _infer_chain(node: Node, shapes: Shapes) -> tuple[Shape]:
    *_, (_, _, _, out) = links(node, shapes)
    return (out,)


def _reference_chain(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    x = arrays[0]
    for link, at, operands, _ in links(node, [a.shape for a in arrays]):
        (x,) = _reference(link, [x, *arrays[at : at + len(operands) - 1]])
    return (x,)


def _flops_chain(node: Node, shapes: Shapes) -> int:
    return sum(_flops(link, operands) for link, _, operands, _ in links(node, shapes))


def _ulps_chain(node: Node, shapes: Shapes) -> float:
    return sum(_ulps(link, operands) for link, _, operands, _ in links(node, shapes))


OPS = (Op("conv2d", _infer, _reference, _flops, _ulps),
       Op("conv2d_chain", _infer_chain, _reference_chain, _flops_chain, _ulps_chain))
