"""Chains of convolutions, [1x1,] depthwise [, 1x1], in bands of output rows.

A thread keeps only one band of the values between the convolutions. They lie in memory of its own,
which stays in its L2 cache. `ring` holds the rows that the depthwise windows see; `made` holds the
depthwise outputs. Rows of the ring that the next band sees again move to the ring's start. Each
element is computed as by the three convolutions one after another, so the bits are the same.

Source: Alwani et al., "Fused-Layer CNN Accelerators", 2016, section III.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from ....emit.layout import ANY, Needs, Step, Tensor, Want, round_up
from ....emit.wasm.asm import I32
from ....emit.wasm.emitter import Affine, Argument, Emitter, address, affine
from ....emit.wasm.gemm import emit_gemm
from ....emit.wasm.share import own, share, strips
from ....graph.graph import Graph, Node, Shape
from ....ops.conv import links
from .conv import Conv, conv_of
from .depthwise import DEPTHWISE
from .depthwise import emit_rows as emit_depthwise
from .product import PRODUCT, gemm

BAND_BYTES = 256 << 10  # of ring and made together; decision 0018


@dataclass(frozen=True, slots=True)
class Link:
    """A convolution of the chain. `at`: the index of its weights among the chain's inputs."""

    node: Node
    v: Conv
    at: int

    def step(self, chain: Step, x: Tensor, out: Tensor) -> Step:
        """The convolution as a step of its own, from `x` to `out`."""
        operands = chain.inputs[self.at : self.at + len(self.node.inputs) - 1]
        return Step(self.node, (x, *operands), (out,))


@dataclass(frozen=True, slots=True)
class Outer:
    """A 1x1 convolution of the chain, and the band of values between it and the depthwise one."""

    link: Link
    band: Tensor


@dataclass(frozen=True, slots=True)
class Chain:
    """`expand` writes the ring that `slide`, the depthwise convolution, reads. `slide` writes the
    values `made`, which `project` reads. A band has `rows` rows of outputs."""

    expand: Outer | None
    slide: Link
    project: Outer | None
    rows: int

    @property
    def scratch(self) -> int:
        """f32 elements of both bands."""
        return sum(outer.band.size for outer in (self.expand, self.project) if outer)


def chain_of(node: Node, shapes: Sequence[Shape]) -> Chain:
    """The chain of `node`, whose operands have `shapes`."""
    found = [Link(link, conv_of(link, operands[0], operands[1], out, True), at)
             for link, at, operands, out in links(node, shapes)]
    at = next(i for i, link in enumerate(found) if DEPTHWISE.worthwhile(link.v))
    expand, project = found[:at], found[at + 1 :]
    v = found[at].v
    pixel, (_, left, _, right) = round_up(v.c, 4), v.extent()
    row = (left + v.width + right) * pixel

    def sizes(rows: int) -> tuple[int, int]:
        return (seen(v, rows) * row if expand else 0, rows * v.ow * pixel if project else 0)

    rows = next(rows for rows in (-(-v.oh // bands) for bands in count(1))
                if rows == 1 or 4 * sum(sizes(rows)) <= BAND_BYTES)
    ring_size, made_size = sizes(rows)
    ring = Tensor("ring", (v.n, v.height, v.width, v.c), (0, row, pixel, 1), size=ring_size)
    made = Tensor("made", (v.n, v.oh, v.ow, v.o), (0, v.ow * pixel, pixel, 1), size=made_size)
    return Chain(Outer(expand[0], ring) if expand else None, found[at],
                 Outer(project[0], made) if project else None, rows)


def seen(v: Conv, rows: int) -> int:
    """Rows of the depthwise input that the windows of `rows` rows of outputs see."""
    return (rows - 1) * v.strides[0] + (v.kh - 1) * v.dilations[0] + 1


def needs(node: Node, graph: Graph) -> Needs:
    """Packed weights of all links, memory for a band, and a halo of x if x is the depthwise
    input."""
    c, out = chain_of(node, [graph.shape(n) for n in node.inputs]), graph.shape(node.name)
    outer = [o.link for o in (c.expand, c.project) if o]
    packings = {c.slide.at: DEPTHWISE.packing(c.slide.v),
                **{link.at: PRODUCT.packing(link.v) for link in outer}}
    last = c.project.link if c.project else c.slide
    extras = range(last.at + 2, len(node.inputs))
    return Needs(
        inputs={0: ANY if c.expand else DEPTHWISE.want(c.slide.node, c.slide.v)},
        output=Want(align=4), packings=packings, scratch=c.scratch,
        same=tuple(i for i in extras if graph.shape(node.inputs[i]) == out),
    )


# --- the calls -----------------------------------------------------------------------------------


def emit(step: Step, e: Emitter) -> None:
    """Emits one band after another. Threads share the output rows of all images; each thread
    computes the rows of the ring that its own windows see."""
    c = chain_of(step.node, [t.shape for t in step.inputs])
    v, x, out = c.slide.v, step.inputs[0], step.outputs[0]
    slide = c.slide.step(step, c.expand.band if c.expand else x,
                         c.project.band if c.project else out)
    ring = own(e, step.scratch, c.scratch)
    made = ring + 4 * (c.expand.band.size if c.expand else 0)
    kept = e.step.local(I32)
    with share(e, v.n * v.oh) as (first, many):
        if c.expand:
            _bulk(e, "memory.fill", ring, 0, 4 * c.expand.band.size)
        with strips(e, first, many, v.oh, c.rows) as (image, y, height):
            target = address(out) + image * (4 * out.strides[0]) + y * (4 * out.strides[1])
            if c.expand:
                _expand(step, c, c.expand, e, image, ring, y, height, Affine(0, ((kept, 1),)))
            emit_depthwise(slide, v, e, ring if c.expand else v.row(x, image, y),
                           made if c.project else target, height)
            if c.project:
                link = c.project.link
                project = link.step(step, c.project.band, out)
                emit_gemm(e, gemm(project, link.v, made, target, c.rows,
                                  address(project.inputs[1]), limit=height * v.ow))
            if c.expand:
                _keep(v, c.expand.band, e, ring, y, height, kept)


def _keep(v: Conv, band: Tensor, e: Emitter, ring: Affine, y: Affine, height: Affine, kept: int
          ) -> None:
    """Moves the rows that the image's next band sees again to the ring's start. Local `kept` is
    their number."""
    row = 4 * band.strides[1]
    again = max(0, seen(v, 1) - v.strides[0])
    if again:
        _bulk(e, "memory.copy", ring, ring + height * (v.strides[0] * row), again * row)
    (y + height).push(e.step)
    e.step.i32(v.oh).op("i32.lt_u").i32(again).op("i32.mul").set(kept)


def _expand(step: Step, c: Chain, expand: Outer, e: Emitter, image: Affine, ring: Affine,
            y: Affine, height: Affine, kept: Affine) -> None:
    """Fills the ring for the windows of `height` output rows from `y` on. Its first `kept` rows are
    there already. Rows outside of the image are set to zero."""
    v, x, link, band = c.slide.v, step.inputs[0], expand.link, expand.band
    row = 4 * band.strides[1]
    top = y * v.strides[0] + -v.pads[0]  # the image row that is the ring's first
    bottom = top + height * v.strides[0] + (seen(v, 1) - v.strides[0])
    begin = _pick(e, top + kept, Affine(), "i32.gt_s")
    end = _pick(e, _pick(e, bottom, Affine(v.height), "i32.lt_s"), begin, "i32.gt_s")

    def place(line: Affine) -> Affine:
        """The byte address of an image row in the ring."""
        return ring + (line + top * -1) * row

    _bulk(e, "memory.fill", place(top + kept), 0, (begin + (top + kept) * -1) * row)
    alone = link.step(step, x, band)
    emit_gemm(e, gemm(
        alone, link.v, link.v.row(x, image, begin),
        place(begin) + 4 * v.pads[1] * band.strides[2], seen(v, c.rows),
        address(alone.inputs[1]), limit=(end + begin * -1) * v.width))
    _bulk(e, "memory.fill", place(end), 0, (bottom + end * -1) * row)


def _pick(e: Emitter, a: Affine, b: Affine, test: str) -> Affine:
    """`a` if the comparison `test` holds for `a` and `b`, else `b`."""
    f, picked = e.step, e.step.local(I32)
    for n in (a, b, a, b):
        n.push(f)
    f.op(test, "select").set(picked)
    return Affine(0, ((picked, 1),))


def _bulk(e: Emitter, instruction: str, target: Affine, source: Argument, size: Argument) -> None:
    """memory.fill or memory.copy of `size` bytes to byte address `target`. `source` is the byte to
    fill with, or the byte address to copy from."""
    for n in (target, source, size):
        affine(n).push(e.step)
    e.step.op(instruction)
