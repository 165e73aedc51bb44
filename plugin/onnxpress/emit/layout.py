"""Linear memory, the layout language between kernels and the planner, for wasm and js.

A program's memory is one heap of f32 elements: constant weights first, then one arena in which
values share space by lifetime. A kernel states its `Needs` for a node; the planner
(programs/plan.py) answers with a `Step`, whose `Tensor`s say where each operand lies.

An image tensor x[N,H,W,C] may carry a halo, so that windows at the border read memory and no kernel
tests bounds. Its pixels may be padded, so that vectors of 4 channels stay inside a pixel. A
3x3 convolution reads x[1,2,3,3] (1 image, 2 rows, 3 columns, 3 channels), pads 1:

    Halo(extent=(1, 1, 1, 1))          stride of W:  4 elements, C = 3 rounded up to a vector
    . . . . .                          stride of H: 20 elements, (1 + 3 + 1) pixels
    . a b c .    a: pixel [0, 0, 0]    stride of N: 80 elements, (1 + 2 + 1) rows
    . d e f .    .: halo, zeros
    . . . . .    Tensor(shape=(1, 2, 3, 3), strides=(80, 20, 4, 1), base=b, offset=b + 24, size=80)

Element [n, h, w, c] lies at offset + 80 n + 20 h + 4 w + c. `offset` skips one row of the halo (20)
and one pixel of it (4). A window at output pixel (0, 0) starts 24 elements earlier, at `base`.

Offsets and strides of a `Tensor` count the tensor's own elements: 4 bytes each in f32, 2 or 1 where
it is stored as whole numbers (ELEMENT_BYTES). Every other number here counts f32 elements.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from ..graph.graph import Node, Shape
from ..graph.storage import F32, Dot, Storage

ALIGN = 16  # f32 elements: one cache line of 64 bytes
SLACK = 16  # f32 elements past a tensor's end that a kernel may read or overwrite


@dataclass(frozen=True, slots=True)
class Halo:
    """Border around H and W of an NHWC tensor, in rows and pixels: (top, left, bottom, right).

    `extent` is allocated and set to zero. Then `mode` fills the inner part `pads`: "zero" leaves
    it, "reflect" mirrors without the edge, "edge" repeats the edge.
    """

    extent: tuple[int, int, int, int] = (0, 0, 0, 0)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    mode: str = "zero"


NO_HALO = Halo()

@dataclass(frozen=True, slots=True)
class Want:
    """The layout a kernel needs of one operand. The stride of W is a multiple of `align` elements.
    Lanes beyond C then hold garbage, which must never reach a lane below C."""

    halo: Halo = NO_HALO
    align: int = 1
    storage: Storage = F32


ANY = Want()


@dataclass(frozen=True, slots=True)
class Packing:
    """The order in which a kernel streams a constant.

    `kind` names a packer of the target; "raw" copies, and "i32" is for whole numbers that the
    program itself holds. `elements` is the packed size, in f32 elements. `args` are the packer's
    arguments.
    """

    kind: str
    elements: int
    args: tuple[int, ...] = ()


def dot_wants(dot: Dot, first: int) -> dict[int, Want]:
    """Input index -> layout of the epilogue's operands, which start at input `first`."""
    return {i: Want(storage=s) for i, s in enumerate(dot.extras, first) if s != F32}


def dot_packings(dot: Dot, channels: int) -> dict[int, Packing]:
    """Input index -> packing of the bias, input 2: i32[channels] in a product of whole numbers,
    and nothing in f32."""
    return {2: Packing("i32", channels)} if dot.x != F32 else {}


@dataclass(frozen=True, slots=True)
class Needs:
    """What a kernel asks of the planner for one node. Keys of `inputs` and `packings` are indices
    of the node's inputs.

    `scratch`: f32 elements of working memory. `strided`: operands may have halos and padded pixels;
    otherwise all are dense. `output`: the layout of each output. `same`: the inputs that must have
    the first output's strides (residuals).
    """

    inputs: Mapping[int, Want] = field(default_factory=dict)
    output: Want = ANY
    packings: Mapping[int, Packing] = field(default_factory=dict)
    scratch: int = 0
    strided: bool = True
    same: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value in the heap.

    `offset` is where element [0, ..., 0] lies; the stride of the last axis is 1. The allocation,
    halo included, is the `size` f32 elements from f32 element `base` on. `whole` names the
    concatenation among whose channels the tensor lies, if any.
    """

    name: str
    shape: Shape
    strides: Shape
    offset: int = 0
    base: int = 0
    size: int = 0
    halo: Halo = NO_HALO
    packing: Packing | None = None
    storage: Storage = F32
    whole: str = ""

    @property
    def dense(self) -> bool:
        """Whether elements follow each other without a gap."""
        return self.strides == dense_strides(self.shape)


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel call. The kernel's `room` elements of scratch begin at heap element `scratch`."""

    node: Node
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    scratch: int = 0
    room: int = 0


@dataclass(frozen=True, slots=True)
class Weight:
    """The graph's constant `constant` in the heap, laid out as `packing` from `offset` on."""

    constant: str
    packing: Packing
    offset: int


@dataclass(frozen=True)
class Slices:
    """A batch that runs in `count` slices along N, one after another. `inputs` and `outputs` hold
    one slice; the plan's own hold the batch."""

    count: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class LinearPlan:
    """A complete program. The heap has `elements` f32 elements.

    While the page loads, each constant passes through the heap from `staging` on: its scales, then
    its stored values, which a packer turns into the packed weight. The first run reuses that space.
    """

    target: str
    steps: tuple[Step, ...]
    weights: tuple[Weight, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    staging: int
    elements: int
    slices: Slices | None = None

    @property
    def times(self) -> int:
        """How often one run executes each step."""
        return self.slices.count if self.slices else 1


def dense_strides(shape: Shape) -> Shape:
    """The strides of C order: the last axis runs fastest, without gaps."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def round_up(n: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is at least `n`."""
    return -(-n // multiple) * multiple
