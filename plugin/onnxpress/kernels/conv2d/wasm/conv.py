"""A convolution's geometry, which all ways of WebAssembly share."""

from collections.abc import Callable
from dataclasses import dataclass

from ....emit.layout import Halo, Packing, Step, Tensor, Want
from ....emit.wasm.emitter import Affine, Emitter, address
from ....graph.graph import Graph, Node
from ....graph.storage import F32, Storage
from ....ops.conv import Conv2d

Extent = tuple[int, int, int, int]  # top, left, bottom, right


@dataclass(frozen=True, slots=True)
class Conv:
    """x[n,h,w,c] * w[kh,kw,c/groups,o] -> [n,oh,ow,o]. `constant`: w is known when the model is
    compiled."""

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
    constant: bool

    def window(self, x: Tensor) -> int:
        """The byte address of the first window's first element."""
        before = self.pads[0] * x.strides[1] + self.pads[1] * x.strides[2]
        return address(x) - x.storage.bytes * before

    def row(self, x: Tensor, image: Affine, y: Affine) -> Affine:
        """The byte address of the first window of row `y` of an image's outputs."""
        return (self.window(x) + image * (x.storage.bytes * x.strides[0])
                + y * (x.storage.bytes * self.strides[0] * x.strides[1]))

    def extent(self) -> Extent:
        """The halo that the windows of all outputs touch."""
        top, left = self.pads[:2]
        down = (self.oh - 1) * self.strides[0] + (self.kh - 1) * self.dilations[0] + 1
        across = (self.ow - 1) * self.strides[1] + (self.kw - 1) * self.dilations[1] + 1
        return top, left, max(0, down - top - self.h), max(0, across - left - self.w)


def conv_of(node: Node, x: tuple[int, ...], w: tuple[int, ...], out: tuple[int, ...],
            constant: bool) -> Conv:
    a = Conv2d.of(node)
    return Conv(*x, w[0], w[1], *(out[i] for i in (3, 1, 2)), a.strides, a.pads,
                a.dilations, a.groups, constant)


def conv_in(graph: Graph, node: Node) -> Conv:
    return conv_of(node, *map(graph.shape, node.inputs[:2]), graph.shape(node.name),
                   node.inputs[1] in graph.constants)


@dataclass(frozen=True)
class Way:
    """One way to run convolutions.

    `worthwhile`: whether this way is the better one. `pack`: how constant weights lie. `extent`:
    halo of x. `align`: alignment of x's pixels. `scratch`: elements.
    """

    worthwhile: Callable[[Conv], bool]
    packing: Callable[[Conv], Packing]
    emit: Callable[[Step, Conv, Emitter], None]
    align: int = 1
    extent: Callable[[Conv], Extent] = Conv.extent
    scratch: Callable[[Conv], int] = lambda v: 0

    def want(self, node: Node, v: Conv, storage: Storage = F32) -> Want:
        """The layout of x."""
        extent, pads, mode = self.extent(v), (0, 0, 0, 0), Conv2d.of(node).pad_mode
        if mode != "zero":
            extent, pads = tuple(map(max, extent, v.pads)), v.pads
        return Want(Halo(extent, pads, mode), self.align, storage)
