"""conv2d on WebGPU: direct sums if groups are small, Winograd's algorithm if it takes the least
time, or else an implicit matrix product for each group."""

from dataclasses import asdict, dataclass, replace

from ....emit.wgsl.cost import quickest_size
from ....emit.wgsl.device import Device
from ....emit.wgsl.epilogue import finish
from ....emit.wgsl.gemm import Product, Windows, matrix, multiply
from ....emit.wgsl.shader import LANES, Dispatch, Port, Slice, Work, dispatch, over_elements
from ....emit.wgsl.weights import Weights, read_weights
from ....graph.graph import Graph, Node
from ....ops.conv import Conv2d
from . import winograd

# A group with fewer rows of K or fewer columns would leave most of a tile empty. Chosen by trial.
MIN_DEPTH, MIN_COLUMNS = 32, 8
BUSY = 65536  # invocations that fill a large GPU; chosen by trial


@dataclass(frozen=True, slots=True)
class Geometry:
    """x[n,h,w,c] * weights[kh,kw,cg,o] -> out[n,oh,ow,o]: numbers of a convolution, under the names
    that templates use.

    Windows lie (sy, sx) pixels apart, their pixels (dy, dx). The first window starts `top` rows
    above and `left` pixels left of the image; `mode` says what lies beyond its border.
    """

    n: int
    h: int
    w: int
    c: int
    kh: int
    kw: int
    cg: int
    o: int
    oh: int
    ow: int
    sy: int
    sx: int
    dy: int
    dx: int
    top: int
    left: int
    groups: int
    mode: str


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    """The dispatches of a conv2d `node`."""
    g = _geometry(node, graph)
    depth = g.kh * g.kw * g.cg
    small = depth < MIN_DEPTH or g.o // g.groups < MIN_COLUMNS
    if g.groups > 1 and small:
        return [_direct(node, graph, g)]
    image = (g.n, g.oh, g.ow) if winograd.suits(node, graph) else None
    work = Work(g.n * g.oh * g.ow, g.o // g.groups, depth, g.groups, image)
    size, tile = quickest_size(work, device)
    if size > 1:
        return winograd.lower(node, graph, work, size, tile)
    return _product(node, graph, device, g, work)


def is_thin(node: Node, graph: Graph) -> bool:
    """Whether `node` is a convolution whose image gets zero channels, up to a multiple of 4."""
    attrs = node.attrs
    if not isinstance(attrs, Conv2d) or attrs.groups > 1 or node.inputs[1] not in graph.constants:
        return False
    _, h, w, c = graph.shape(node.inputs[0])
    row = not any(attrs.pads) and (h, w) == graph.shape(node.inputs[1])[:2]
    return c % 4 > 0 and not row


def _geometry(node: Node, graph: Graph) -> Geometry:
    n, h, w, c = graph.shape(node.inputs[0])
    kh, kw, cg, o = graph.shape(node.inputs[1])
    _, oh, ow, _ = graph.shape(node.name)
    attrs = Conv2d.of(node)
    (sy, sx), (dy, dx), (top, left) = attrs.strides, attrs.dilations, attrs.pads[:2]
    return Geometry(n=n, h=h, w=w, c=c, kh=kh, kw=kw, cg=cg, o=o, oh=oh, ow=ow, sy=sy, sx=sx,
                    dy=dy, dx=dx, top=top, left=left, groups=attrs.groups, mode=attrs.pad_mode)


def _product(node: Node, graph: Graph, device: Device, g: Geometry, work: Work
             ) -> list[Dispatch]:
    """The dispatches of an implicit matrix product."""
    x, weights, bias = node.inputs[:3]
    og, rows, depth = work.n, work.m, work.k
    bare = not any(Conv2d.of(node).pads)
    # Windows that lie one behind another, or have one pixel, are rows of a plain matrix.
    if bare and (g.kh, g.kw) == (g.h, g.w) and g.groups == 1:
        view = matrix(rows, depth, depth)
    elif bare and (g.kh, g.kw) == (g.sy, g.sx) == (1, 1):
        view = matrix(rows, g.cg, g.c)
    else:
        view = Windows(h=g.h, w=g.w, pitch=g.c, kh=g.kh, kw=g.kw, cg=g.cg, oh=g.oh, ow=g.ow,
                       sy=g.sy, sx=g.sx, dy=g.dy, dx=g.dx, top=g.top, left=g.left, mode=g.mode)
    vector = view == matrix(1, view.cg, view.pitch)
    a = Port("a", x, graph.shape(x), g.cg % 4 == 0 and not vector)
    b = read_weights(graph, weights, graph.shape(weights), og % 4 == 0)
    before = []
    if is_thin(node, graph):
        before, a, b, view = _widened(node, graph, g, view)
        work = replace(work, k=view.kh * view.kw * view.cg)
    what = Product(
        work, a, view, b,
        places=f"let a_at = batch * {g.cg}u;\n  let b_at = batch * vec2u(0u, {og}u);",
        step=og, channel=f"batch * {og}u + n",
        vector=vector,
    )
    end = finish(node, graph, g.o % 4 == 0 and og % 4 == 0, bias)
    return [*before, *multiply(node, graph, device, [what], end)]


def _widened(node: Node, graph: Graph, g: Geometry, view: Windows
             ) -> tuple[list[Dispatch], Port[str], Weights, Windows]:
    """(dispatches, A, B, windows) with zero channels up to a multiple of 4, so that RGB images run
    through the same kernels as others.

    A dispatch adds the channels to the image; it also reads images in planes [N,C,H,W]. The weights
    get theirs when they are uploaded.
    """
    x, weights = node.inputs[:2]
    full = -(-g.c // 4) * 4
    plane = g.h * g.w
    pixels = g.n * plane
    name = f"{node.name}@wide"
    image = Port("out", name, (pixels, full), wide=True)
    source = Conv2d.of(node).planes or x
    across, down = (g.c, 1) if source == x else (1, plane)
    widen = over_elements("conv2d/wgsl/widen.wgsl", [Port("x", source, graph.shape(source))], image,
                          {name: pixels * full}, channels=g.c, quads=full // 4, plane=plane,
                          across=across, down=down)
    taps = g.kh * g.kw
    rows = Slice(weights, 0, g.c * g.o, taps, full * g.o)
    return ([widen], Port("a", name, (pixels, full), wide=True),
            read_weights(graph, rows, (taps, full, g.o), g.o % 4 == 0),
            replace(view, pitch=full, cg=full))


def _direct(node: Node, graph: Graph, g: Geometry) -> Dispatch:
    """The dispatch of direct sums: an invocation for each output, vec4f of outputs, or, in a
    depthwise convolution, for a few neighbours of a row."""
    x, weights, bias = node.inputs[:3]
    depthwise = g.groups == g.c == g.o
    wide = g.o // g.groups % 4 == 0 or (depthwise and g.o % 4 == 0)
    step = 4 if wide else 1
    across = _across(g, step) if depthwise else 1
    strips = -(-g.ow // across)
    count = g.n * g.oh * strips * (g.o // step)
    end = finish(node, graph, wide, bias)
    out = graph.shape(node.name)
    b = read_weights(graph, weights, graph.shape(weights), wide)
    reads = [Port("a", x, graph.shape(x), depthwise and wide), *b.ports, *end.ports]
    return dispatch(
        "conv2d/wgsl/direct.wgsl", reads, [Port("out", node.name, out, wide)], -(-count // LANES),
        count=count, lanes=LANES, wide=wide, depthwise=depthwise, across=across,
        weights=b.text, finish=end.text, **asdict(g),
    )


def _across(g: Geometry, step: int) -> int:
    """Neighbours of a row that one invocation computes. Overlapping windows share loads; still
    enough invocations must remain to fill the GPU."""
    pixels = g.n * g.oh * g.ow * g.o // step
    overlap = g.sx < (g.kw - 1) * g.dx + 1
    return next((a for a in (4, 2) if overlap and pixels >= a * BUSY), 1)
