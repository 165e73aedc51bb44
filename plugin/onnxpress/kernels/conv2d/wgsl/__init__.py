"""conv2d on WebGPU: an implicit matrix product for each group.

Winograd's algorithm replaces it where that takes less time. Direct sums replace it where groups are
small.
"""

from dataclasses import fields, replace
from math import prod

from ....emit.wgsl.cost import choose_way
from ....emit.wgsl.device import Device
from ....emit.wgsl.epilogue import finish
from ....emit.wgsl.gemm import Product, View, matrix, multiply
from ....emit.wgsl.shader import LANES, Dispatch, Port, Slice, Work, dispatch, over_elements
from ....emit.wgsl.weights import Weights, read_weights
from ....graph.graph import Graph, Node
from ....ops.conv import Conv2d
from . import winograd

MIN_DEPTH, MIN_COLUMNS = 32, 8  # of a group's product; smaller ones leave tiles mostly empty
BUSY = 65536  # invocations that fill a large GPU


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    facts = _facts(node, graph)
    depth = facts["kh"] * facts["kw"] * facts["cg"]
    small = depth < MIN_DEPTH or facts["o"] // facts["groups"] < MIN_COLUMNS
    if facts["groups"] > 1 and small:
        return [_direct(node, graph, facts)]
    work = _work(node, graph, facts, depth)
    size, tile = choose_way(work, device)
    if size > 1:
        return winograd.lower(node, graph, work, size, tile)
    return _product(node, graph, device, facts, work)


def is_thin(node: Node, graph: Graph) -> bool:
    """Whether `node` is a convolution whose image is filled up to a multiple of four channels."""
    attrs = node.attrs
    if not isinstance(attrs, Conv2d) or attrs.groups > 1 or node.inputs[1] not in graph.constants:
        return False
    _, h, w, c = graph.shape(node.inputs[0])
    row = not any(attrs.pads) and (h, w) == graph.shape(node.inputs[1])[:2]
    return c % 4 > 0 and not row


def _work(node: Node, graph: Graph, facts: dict, depth: int) -> Work:
    image = tuple(facts[k] for k in ("n", "oh", "ow"))
    return Work(prod(image), facts["o"] // facts["groups"], depth, facts["groups"],
                image if winograd.suits(node, graph) else None)


def _facts(node: Node, graph: Graph) -> dict[str, int | str]:
    """The template's numbers, named after their axes."""
    n, h, w, c = graph.shape(node.inputs[0])
    kh, kw, cg, o = graph.shape(node.inputs[1])
    _, oh, ow, _ = graph.shape(node.name)
    attrs = Conv2d.of(node)
    (sy, sx), (dy, dx), (top, left) = attrs.strides, attrs.dilations, attrs.pads[:2]
    return {"n": n, "h": h, "w": w, "c": c, "kh": kh, "kw": kw, "cg": cg, "o": o, "oh": oh,
            "ow": ow, "sy": sy, "sx": sx, "dy": dy, "dx": dx, "top": top, "left": left,
            "groups": attrs.groups, "mode": attrs.pad_mode}


def _product(node: Node, graph: Graph, device: Device, facts: dict, work: Work
             ) -> list[Dispatch]:
    x, weights, bias = node.inputs[:3]
    groups, c, o, cg = (facts[k] for k in ("groups", "c", "o", "cg"))
    og, rows, depth = work.n, work.m, work.k
    bare = not any(Conv2d.of(node).pads)
    window, image = (facts["kh"], facts["kw"]), (facts["h"], facts["w"])
    # Rows of K values lie one after another, so there is no window to walk.
    if bare and window == image and groups == 1:
        view = matrix(rows, depth, depth)
    elif bare and window == (facts["sy"], facts["sx"]) == (1, 1):
        view = matrix(rows, cg, c)
    else:
        view = View(pitch=c, **{f.name: facts[f.name] for f in fields(View) if f.name != "pitch"})
    vector = view == matrix(1, view.cg, view.pitch)
    a = Port("a", x, graph.shape(x), cg % 4 == 0 and not vector)
    b = read_weights(graph, weights, graph.shape(weights), og % 4 == 0)
    before = []
    if is_thin(node, graph):
        before, a, b, view = _widened(node, graph, facts, view)
        work = replace(work, k=view.kh * view.kw * view.cg)
    what = Product(
        work, a, view, b,
        places=f"let a_at = batch * {cg}u;\n  let b_at = batch * vec2u(0u, {og}u);",
        step=og, channel=f"batch * {og}u + n",
        vector=vector,
    )
    end = finish(node, graph, 3, o % 4 == 0 and og % 4 == 0, bias)
    return [*before, *multiply(node, graph, device, [what], end)]


def _widened(node: Node, graph: Graph, facts: dict, view: View
             ) -> tuple[list[Dispatch], Port, Weights, View]:
    """The convolution with channels filled up to a multiple of four by zeros, so that RGB takes the
    kernels of all others.

    A dispatch before it fills the image, which it reads as pixels or as planes. The weights are
    filled while they are uploaded.
    """
    x, weights = node.inputs[:2]
    c, o = facts["c"], facts["o"]
    full = -(-c // 4) * 4
    pixels = facts["n"] * facts["h"] * facts["w"]
    name = f"{node.name}@wide"
    image = Port("out", name, (pixels, full), wide=True)
    plane = facts["h"] * facts["w"]
    source = Conv2d.of(node).planes or x
    across, down = (c, 1) if source == x else (1, plane)
    widen = over_elements("conv2d/wgsl/widen.wgsl", [Port("x", source, graph.shape(source))], image,
                          {name: pixels * full}, channels=c, quads=full // 4, plane=plane,
                          across=across, down=down)
    cells = facts["kh"] * facts["kw"]
    rows = Slice(weights, 0, c * o, cells, full * o)
    return ([widen], Port("a", name, (pixels, full), wide=True),
            read_weights(graph, rows, (cells, full, o), o % 4 == 0),
            replace(view, pitch=full, cg=full))


def _direct(node: Node, graph: Graph, facts: dict) -> Dispatch:
    x, weights, bias = node.inputs[:3]
    groups, c, o = facts["groups"], facts["c"], facts["o"]
    depthwise = groups == c == o
    wide = o // groups % 4 == 0 or (depthwise and o % 4 == 0)
    step = 4 if wide else 1
    across = _across(facts, step) if depthwise else 1
    strips = -(-facts["ow"] // across)
    count = facts["n"] * facts["oh"] * strips * (o // step)
    end = finish(node, graph, 3, wide, bias)
    out = graph.shape(node.name)
    b = read_weights(graph, weights, graph.shape(weights), wide)
    reads = [Port("a", x, graph.shape(x), depthwise and wide), *b.ports, *end.ports]
    return dispatch(
        "conv2d/wgsl/direct.wgsl", reads, [Port("out", node.name, out, wide)], -(-count // LANES),
        count=count, lanes=LANES, wide=wide, depthwise=depthwise, across=across,
        weights=b.text, finish=end.text, **facts,
    )


def _across(facts: dict, step: int) -> int:
    """Pixels per invocation: overlapping windows share loads, while enough invocations remain."""
    pixels = prod(facts[k] for k in ("n", "oh", "ow")) * facts["o"] // step
    overlap = facts["sx"] < (facts["kw"] - 1) * facts["dx"] + 1
    return next((a for a in (4, 2) if overlap and pixels >= a * BUSY), 1)
