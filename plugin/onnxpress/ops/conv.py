"""conv2d: x[N,H,W,C], w[KH,KW,C/groups,O], b[O], *extras -> [N,OH,OW,O], with an epilogue.

Output channels stand group by group, as in ONNX.

conv2d_chain: x, then for each of `links` its operands without the first one -> the last link's
output.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal

import numpy as np

from ..graph.graph import Attrs, Node, Shape
from .attrs import Product, finished
from .base import EVERY_TARGET, Arrays, Op, Shapes, doubles, need, never
from .samples import windows

NUMPY_PAD: Mapping[str, Literal["constant", "reflect", "edge"]] = {
    "zero": "constant", "reflect": "reflect", "edge": "edge"}
OWN = 3  # operands before the epilogue's: x, w, b


@dataclass(frozen=True, kw_only=True)
class Conv2d(Product):
    """`strides` and `dilations`: (H, W) in cells. `pads`: cells at the top, left, bottom and right.
    `pad_mode`: "zero", "reflect" or "edge". `planes`: the value that holds x as [N,C,H,W], which
    WebGPU reads instead; set by programs/webgpu/moves.py."""

    op: ClassVar[str] = "conv2d"
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilations: tuple[int, int]
    groups: int
    pad_mode: str
    planes: str | None = None


@dataclass(frozen=True, kw_only=True)
class Conv2dChain(Attrs):
    """`links`: conv2d nodes, each of which reads as its first operand what the one before it
    made; set by programs/wasm/chains.py."""

    op: ClassVar[str] = "conv2d_chain"
    links: tuple[Node, ...]


def _infer(node: Node, shapes: Shapes) -> tuple[Shape]:
    conv = Conv2d.of(node)
    x, w, bias = shapes[:OWN]
    need(len(x) == 4 and len(w) == 4, f"x {x} and weights {w} must have rank 4")
    (n, h, width, c), (kh, kw, cg, o) = x, w
    groups = conv.groups
    need(groups > 0 and cg * groups == c and o % groups == 0,
         f"{c} channels in {groups} groups do not fit weights for {cg} in, {o} out")
    need(bias == (o,), f"bias {bias} does not fit {o} output channels")
    top, left, bottom, right = conv.pads
    (dy, dx), (sy, sx) = conv.dilations, conv.strides
    need(min(sy, sx, dy, dx) > 0, "strides and dilations must be positive")
    oh = (h + top + bottom - (kh - 1) * dy - 1) // sy + 1
    ow = (width + left + right - (kw - 1) * dx - 1) // sx + 1
    need(oh > 0 and ow > 0, f"the {kh}x{kw} window does not fit the {h}x{width} image")
    return ((n, oh, ow, o),)


def _reference(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    ((n, oh, ow, o),) = _infer(node, [a.shape for a in arrays])
    conv = Conv2d.of(node)
    x, w, bias, *extras = doubles(arrays)
    top, left, bottom, right = conv.pads
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), NUMPY_PAD[conv.pad_mode])
    (sy, sx), (dy, dx) = conv.strides, conv.dilations
    kh, kw = w.shape[:2]
    out = np.zeros((n, oh, ow, o))
    for i in range(kh):
        for j in range(kw):
            rows = slice(i * dy, i * dy + (oh - 1) * sy + 1, sy)
            cols = slice(j * dx, j * dx + (ow - 1) * sx + 1, sx)
            out += _tap(x[:, rows, cols], w[i, j], conv.groups)
    return (finished(node, out + bias, extras),)


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
    for link in Conv2dChain.of(node).links:
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


OPS = (
    Op(attrs=Conv2d, outputs=("out",),
       infer=_infer, reference=_reference, flops=_flops, ulps=_ulps,
       own=OWN, weights_rank=4, picks=never, follows=None, samples=windows(OWN),
       moves=None, alias=None, reads_by_data=(), kernel="conv2d", targets=EVERY_TARGET),
    Op(attrs=Conv2dChain, outputs=("out",),
       infer=_infer_chain, reference=_reference_chain, flops=_flops_chain, ulps=_ulps_chain,
       own=None, weights_rank=None, picks=never, follows=None, samples=None,
       moves=None, alias=None, reads_by_data=(), kernel="conv2d", targets=("wasm",)),
)
