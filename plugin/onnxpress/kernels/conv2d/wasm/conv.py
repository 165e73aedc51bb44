"""A convolution's geometry, and an algorithm that runs convolutions in WebAssembly."""

from collections.abc import Callable
from dataclasses import dataclass

from ....emit.layout import Halo, Packing, Step, Tensor, Want
from ....emit.wasm.emitter import Affine, Emitter, address
from ....graph.graph import Graph, Node, Shape
from ....graph.storage import F32, Storage
from ....ops.conv import Conv2d

Extent = tuple[int, int, int, int]  # top, left, bottom, right


@dataclass(frozen=True, slots=True)
class Conv:
    """The geometry x[n, height, width, c] * w[kh, kw, c / groups, o] -> out[n, oh, ow, o].
    `constant`: w is known at build. `strides` and `dilations`: (down, across); `pads`: (top, left,
    bottom, right)."""

    n: int
    height: int
    width: int
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
        """The byte address of the first window of output row `y` of image `image`."""
        return (self.window(x) + image * (x.storage.bytes * x.strides[0])
                + y * (x.storage.bytes * self.strides[0] * x.strides[1]))

    def extent(self) -> Extent:
        """The halo of x that the windows of all outputs touch."""
        top, left = self.pads[:2]
        down = (self.oh - 1) * self.strides[0] + (self.kh - 1) * self.dilations[0] + 1
        across = (self.ow - 1) * self.strides[1] + (self.kw - 1) * self.dilations[1] + 1
        return top, left, max(0, down - top - self.height), max(0, across - left - self.width)


def conv_of(node: Node, x: Shape, w: Shape, out: Shape, constant: bool) -> Conv:
    """The geometry of a conv2d `node` whose operands and output have the shapes x, w and out."""
    (n, height, width, c), (kh, kw), (_, oh, ow, o) = x, w[:2], out
    a = Conv2d.of(node)
    return Conv(n=n, height=height, width=width, c=c, kh=kh, kw=kw, o=o, oh=oh, ow=ow,
                strides=a.strides, pads=a.pads, dilations=a.dilations, groups=a.groups,
                constant=constant)


def conv_in(graph: Graph, node: Node) -> Conv:
    """The geometry of the conv2d `node` of `graph`."""
    x, w = node.inputs[:2]
    return conv_of(node, graph.shape(x), graph.shape(w), graph.shape(node.name),
                   w in graph.constants)


@dataclass(frozen=True)
class Algorithm:
    """One algorithm for convolutions.

    `worthwhile`: whether it suits a convolution. `packing`: the order of constant weights. `emit`:
    adds the code of a step. `align`: the pixel stride of x is a multiple of it. `extent`: the halo
    of x. `scratch`: f32 elements of working memory.
    """

    worthwhile: Callable[[Conv], bool]
    packing: Callable[[Conv], Packing]
    emit: Callable[[Step, Conv, Emitter], None]
    align: int = 1
    extent: Callable[[Conv], Extent] = Conv.extent
    scratch: Callable[[Conv], int] = lambda v: 0

    def want(self, node: Node, v: Conv, storage: Storage = F32) -> Want:
        """The layout that x must have."""
        extent, mode = self.extent(v), Conv2d.of(node).pad_mode
        if mode == "zero":
            return Want(Halo(extent), self.align, storage)
        top, left, bottom, right = map(max, extent, v.pads)
        return Want(Halo((top, left, bottom, right), v.pads, mode), self.align, storage)
