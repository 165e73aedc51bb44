"""A chain of convolutions, [1x1,] depthwise [, 1x1], in bands of output rows.

Only one band of the values between the convolutions exists at a time. It lies in the thread's own
memory, which stays in its L2 cache. `ring` holds the rows that the depthwise windows read; `made`
holds the depthwise output. Rows that the next band's windows read again move to the ring's start.
Elements are computed as if the links ran one after another, so the bits are the same.

Source: Alwani et al., "Fused-Layer CNN Accelerators", 2016, section III.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from ....emit.layout import ANY, Needs, Step, Tensor, Want, round_up
from ....emit.wasm.asm import I32
from ....emit.wasm.emitter import Affine, Emitter, address, affine
from ....emit.wasm.gemm import emit_gemm
from ....emit.wasm.share import own, share, strips
from ....graph.graph import Graph, Node
from ....ops.conv import links
from .conv import Conv, conv_of
from .depthwise import DEPTHWISE
from .depthwise import emit_rows as emit_depthwise
from .product import PRODUCT, gemm

BAND_BYTES = 256 << 10  # of a band's values between the convolutions


@dataclass(frozen=True, slots=True)
class Link:
    """A convolution of the chain. `at`: the index of its weights among the chain's inputs."""

    node: Node
    v: Conv
    at: int

    def step(self, chain: Step, x: Tensor, out: Tensor) -> Step:
        """The link alone, between these values."""
        operands = chain.inputs[self.at : self.at + len(self.node.inputs) - 1]
        return Step(self.node, (x, *operands), (out,))


@dataclass(frozen=True, slots=True)
class Chain:
    """The links. `rows`: rows of the output in a band.

    `ring` and `made`, the depthwise input and output, have room for a band. Each is None if the
    chain has no link before it (`ring`) or behind it (`made`).
    """

    expand: Link | None
    slide: Link
    project: Link | None
    rows: int
    ring: Tensor | None
    made: Tensor | None

    @property
    def scratch(self) -> int:
        return sum(t.size for t in (self.ring, self.made) if t)


def chain_of(node: Node, shapes: Sequence[tuple[int, ...]]) -> Chain:
    """The chain over operands of these shapes."""
    found = [Link(link, conv_of(link, *operands[:2], out, True), at)
             for link, at, operands, out in links(node, shapes)]
    at = next(i for i, link in enumerate(found) if DEPTHWISE.worthwhile(link.v))
    expand, slide, project = ([None] * (1 - at) + found + [None])[:3]
    v = slide.v
    pixel, (_, left, _, right) = round_up(v.c, 4), v.extent()
    row = (left + v.w + right) * pixel

    def sizes(rows: int) -> tuple[int, int]:
        return (seen(v, rows) * row if expand else 0, rows * v.ow * pixel if project else 0)

    rows = next(rows for rows in (-(-v.oh // bands) for bands in count(1))
                if rows == 1 or 4 * sum(sizes(rows)) <= BAND_BYTES)
    ring, made = sizes(rows)
    return Chain(
        expand, slide, project, rows,
        Tensor("ring", (v.n, v.h, v.w, v.c), (0, row, pixel, 1), size=ring) if expand else None,
        Tensor("made", (v.n, v.oh, v.ow, v.o), (0, v.ow * pixel, pixel, 1), size=made)
        if project else None)


def seen(v: Conv, rows: int) -> int:
    """How many rows of the depthwise input `rows` rows of its output need."""
    return (rows - 1) * v.strides[0] + (v.kh - 1) * v.dilations[0] + 1


def needs(node: Node, graph: Graph) -> Needs:
    c, out = chain_of(node, [graph.shape(n) for n in node.inputs]), graph.shape(node.name)
    packings = {link.at: way.packing(link.v)
             for link, way in ((c.expand, PRODUCT), (c.slide, DEPTHWISE), (c.project, PRODUCT))
             if link}
    extras = range((c.project or c.slide).at + 2, len(node.inputs))
    return Needs(
        inputs={0: ANY if c.expand else DEPTHWISE.want(c.slide.node, c.slide.v)},
        output=Want(align=4), packings=packings, scratch=c.scratch,
        same=tuple(i for i in extras if graph.shape(node.inputs[i]) == out),
    )


# --- the calls -----------------------------------------------------------------------------------


def emit(step: Step, e: Emitter) -> None:
    """Emits the bands. Threads share the output rows of all images; each computes the ring's rows
    that its own windows read."""
    c = chain_of(step.node, [t.shape for t in step.inputs])
    v, x, out = c.slide.v, step.inputs[0], step.outputs[0]
    slide = c.slide.step(step, c.ring or x, c.made or out)
    ring = own(e, step.scratch, c.scratch)
    made = ring + 4 * (c.ring.size if c.ring else 0)
    kept = e.step.local(I32)
    with share(e, v.n * v.oh) as (first, many):
        if c.expand:
            _bulk(e, "memory.fill", ring, 0, 4 * c.ring.size)
        with strips(e, first, many, v.oh, c.rows) as (image, y, height):
            target = address(out) + image * (4 * out.strides[0]) + y * (4 * out.strides[1])
            if c.expand:
                _expand(step, c, e, image, ring, y, height, Affine(0, ((kept, 1),)))
            emit_depthwise(slide, v, e, ring if c.expand else v.row(x, image, y),
                           made if c.project else target, height)
            if c.project:
                project = c.project.step(step, c.made, out)
                emit_gemm(e, gemm(project, c.project.v, made, target, c.rows,
                                  address(project.inputs[1]), limit=height * v.ow))
            if c.expand:
                _keep(c, e, ring, y, height, kept)


def _keep(c: Chain, e: Emitter, ring: Affine, y: Affine, height: Affine, kept: int) -> None:
    """Moves the rows that the image's next band reads again to the ring's start; counts them."""
    v, row = c.slide.v, 4 * c.ring.strides[1]
    again = max(0, seen(v, 1) - v.strides[0])
    if again:
        _bulk(e, "memory.copy", ring, ring + height * (v.strides[0] * row), again * row)
    (y + height).push(e.step)
    e.step.i32(v.oh).op("i32.lt_u").i32(again).op("i32.mul").set(kept)


def _expand(step: Step, c: Chain, e: Emitter, image: Affine, ring: Affine, y: Affine,
            height: Affine, kept: Affine) -> None:
    """Fills the ring for the windows of `height` output rows from `y` on. Its first `kept` rows are
    there already. Rows outside of the image are zero."""
    v, x, row = c.slide.v, step.inputs[0], 4 * c.ring.strides[1]
    top = y * v.strides[0] + -v.pads[0]  # the ring's first row, in rows of the image
    bottom = top + height * v.strides[0] + (seen(v, 1) - v.strides[0])
    begin = _pick(e, top + kept, Affine(), "i32.gt_s")
    end = _pick(e, _pick(e, bottom, Affine(v.h), "i32.lt_s"), begin, "i32.gt_s")

    def place(line: Affine) -> Affine:
        return ring + (line + top * -1) * row

    _bulk(e, "memory.fill", place(top + kept), 0, (begin + (top + kept) * -1) * row)
    expand = c.expand.step(step, x, c.ring)
    emit_gemm(e, gemm(
        expand, c.expand.v, c.expand.v.row(x, image, begin),
        place(begin) + 4 * v.pads[1] * c.ring.strides[2], seen(v, c.rows),
        address(expand.inputs[1]), limit=(end + begin * -1) * v.w))
    _bulk(e, "memory.fill", place(end), 0, (bottom + end * -1) * row)


def _pick(e: Emitter, a: Affine, b: Affine, test: str) -> Affine:
    """`a` where `test` holds of `a` and `b`, else `b`."""
    f, picked = e.step, e.step.local(I32)
    for n in (a, b, a, b):
        n.push(f)
    f.op(test, "select").set(picked)
    return Affine(0, ((picked, 1),))


def _bulk(e: Emitter, instruction: str, target: Affine, source: "Affine | int",
          size: "Affine | int") -> None:
    """memory.fill or memory.copy. Addresses and `size` count bytes."""
    for n in (target, source, size):
        affine(n).push(e.step)
    e.step.op(instruction)
