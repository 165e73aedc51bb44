"""Convolutions in WebAssembly: which way a node runs, what that needs, and its calls.

| way | when |
|---|---|
| depthwise | groups == C == O, constant weights |
| winograd | 3x3 kernels, dense taps, where `wasm_winograd.worthwhile` says so |
| vector | one output pixel of a 1x1 kernel: the weights stream unpacked |
| gemm | everything else; groups are merged until a vector of outputs fits one product |
"""

from dataclasses import dataclass
from math import prod

from ...emit import wasm_packs as packs
from ...emit.wasm_emitter import Emitter, address
from ...emit.wasm_epilogue import epilogue
from ...emit.wasm_gemm import Gemm, emit_gemm
from ...emit.wasm_gemv import emit_gemv
from ...graph import Graph, Node
from ..base import Halo, Needs, Pack, Step, Tensor, Want
from . import wasm_depthwise, wasm_winograd


@dataclass(frozen=True, slots=True)
class Conv:
    """A node's geometry. `merge` groups run as one product of block-diagonal weights."""

    n: int
    h: int
    w: int
    c: int
    kh: int
    kw: int
    o: int
    oh: int
    ow: int
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilations: tuple[int, int]
    groups: int

    @property
    def merge(self) -> int:
        """The fewest groups together that fill whole vectors of 4 outputs, else all."""
        each = self.o // self.groups
        fit = (m for m in range(1, self.groups) if self.groups % m == 0 and m * each % 4 == 0)
        return next(fit, self.groups)


def conv_of(node: Node, x: tuple[int, ...], w: tuple[int, ...], out: tuple[int, ...]) -> Conv:
    a = node.attrs
    return Conv(*x, w[0], w[1], *(out[i] for i in (3, 1, 2)), a["strides"], a["pads"],
                a["dilations"], a["groups"])


def way(node: Node, v: Conv, constant: bool) -> str:
    """How the node runs, by the table above."""
    if v.groups == v.c == v.o and v.c > 1 and constant:
        return "depthwise"
    if v.oh * v.ow * v.kh * v.kw == 1 and v.groups == 1:
        return "vector"
    exact = node.attrs.get("exact", False)
    if constant and not exact and wasm_winograd.worthwhile(v):
        return "winograd"
    return "gemm"


def needs(node: Node, graph: Graph) -> Needs:
    """Input halo for the window's overhang, packed weights, scratch for transforms."""
    x, w = (graph.shape(name) for name in node.inputs[:2])
    out = graph.shape(node.name)
    constant = node.inputs[1] in graph.constants
    v = conv_of(node, x, w, out)
    how = way(node, v, constant)
    extent = wasm_winograd.extent(v) if how == "winograd" else _extent(v)
    mode = node.attrs.get("pad_mode", "zero")
    if mode != "zero":
        extent = tuple(map(max, extent, v.pads))
    halo = Halo(extent, v.pads if mode != "zero" else (0, 0, 0, 0), mode)
    pack = {
        "depthwise": lambda: packs.depthwise(v.kh * v.kw, v.c),
        "winograd": lambda: packs.winograd(v.c, v.o),
        "vector": lambda: ("raw", prod(w)),
        "gemm": lambda: _gemm_pack(v),
    }[how]()
    scratch = wasm_winograd.scratch(v) if how == "winograd" else 0
    if not constant and how == "gemm":
        scratch = pack[1]
    return Needs(
        inputs={0: Want(halo, 1 if how in ("gemm", "vector") else 4)},
        output=Want(align=4),
        packs={1: Pack(*pack)} if constant else {},
        scratch=scratch,
        same=tuple(i for i, name in enumerate(node.inputs[3:], 3) if graph.shape(name) == out),
    )


def _extent(v: Conv) -> tuple[int, int, int, int]:
    """Halo that the windows of all outputs touch."""
    top, left = v.pads[:2]
    bottom = (v.oh - 1) * v.strides[0] + (v.kh - 1) * v.dilations[0] + 1 - top - v.h
    right = (v.ow - 1) * v.strides[1] + (v.kw - 1) * v.dilations[1] + 1 - left - v.w
    return top, left, max(0, bottom), max(0, right)


def _gemm_pack(v: Conv, pitch: int | None = None) -> packs.Facts:
    taps, c, o = v.kh * v.kw, v.c // v.groups, v.o // v.groups
    if v.merge > 1:
        return packs.blocks(taps, c, o, v.groups, v.merge, pitch)
    return packs.gemm(taps * c, o, v.groups, pitch)


def emit(step: Step, program: Emitter) -> None:
    """The calls of one convolution, image by image."""
    x, w = step.inputs[:2]
    v = conv_of(step.node, x.shape, w.shape, step.outputs[0].shape)
    how = way(step.node, v, w.pack is not None)
    if how == "depthwise":
        wasm_depthwise.emit(step, v, program)
    elif how == "winograd":
        wasm_winograd.emit(step, v, program)
    else:
        _emit_products(step, v, how, program)


def window(v: Conv, x: Tensor) -> int:
    """The byte address of the first window's first element."""
    return address(x) - 4 * (v.pads[0] * x.strides[1] + v.pads[1] * x.strides[2])


def _emit_products(step: Step, v: Conv, how: str, e: Emitter) -> None:
    """One product for each image and merged group."""
    x, w, bias = step.inputs[:3]
    out = step.outputs[0]
    weights = address(w)
    if w.pack is None and how == "gemm":
        weights = _pack_now(step, v, e)
    c, o = v.c // v.groups * v.merge, v.o // v.groups * v.merge
    taps, run = _taps(v, x, c)
    finish, extras = epilogue(step, 3)
    with e.times(v.n) as image, e.times(v.groups // v.merge) as group:
        channel = group * (4 * o)
        product = Gemm(
            a=window(v, x) + image * (4 * x.strides[0]) + group * (4 * c),
            out=address(out) + image * (4 * out.strides[0]) + channel,
            b=weights + group * (4 * v.kh * v.kw * c * -(-o // 4) * 4),
            bias=address(bias) + channel,
            n=o, run=run, taps=taps, width=v.ow, height=v.oh,
            a_x=4 * v.strides[1] * x.strides[2], a_row=4 * v.strides[0] * x.strides[1],
            out_x=4 * out.strides[2], out_row=4 * out.strides[1],
            b_row=4 * w.strides[2] if how == "vector" else None,
            epilogue=finish, extras=finish.args(extras, channel),
        )
        (emit_gemv if how == "vector" else emit_gemm)(e, product)


def _taps(v: Conv, x: Tensor, c: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """Levels of the window's runs, outermost first, and the elements of a run. Taps that touch
    each other are one run."""
    taps, run = [], c
    across, down = v.dilations[1] * x.strides[2], v.dilations[0] * x.strides[1]
    for count, pitch in ((v.kw, across), (v.kh, down)):
        if count > 1 and not taps and pitch == run:
            run *= count
        elif count > 1:
            taps.insert(0, (count, 4 * pitch))
    return tuple(taps), run


def _pack_now(step: Step, v: Conv, e: Emitter) -> int:
    """Packs computed weights into scratch; returns their address."""
    w = step.inputs[1]
    kind, _, args = _gemm_pack(v, w.strides[2])
    e.call(packs.export(kind, e), address(w), 4 * step.scratch, *args)
    return 4 * step.scratch
