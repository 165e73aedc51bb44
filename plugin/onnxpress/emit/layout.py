"""What a kernel tells the planner, and what the planner hands back to a kernel.

Linear memory is one heap of f32 elements, the same for the wasm and js targets: packed weights
first, then an arena that steps share by lifetime. Every offset and stride counts elements; those of
a tensor count its own elements, which are shorter than f32 where it is stored as whole numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from ..graph.graph import Node

ALIGN = 16  # elements: one 64-byte cache line
SLACK = 16  # elements a kernel may read or overwrite past a tensor's end


@dataclass(frozen=True, slots=True)
class Halo:
    """Border elements around H and W of an NHWC tensor.

    `extent` (top, left, bottom, right) is allocated and zeroed; `pads` of it is then filled by
    `mode`: "zero", "reflect" (mirror without the edge) or "edge".
    """

    extent: tuple[int, int, int, int] = (0, 0, 0, 0)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    mode: str = "zero"


NO_HALO = Halo()
ELEMENT_BYTES = {"f32": 4, "i16": 2, "u8": 1}


@dataclass(frozen=True, slots=True)
class Storage:
    """How a value's elements lie in memory: as they are in "f32", or whole numbers as element -
    `low` in "i16" or "u8"."""

    kind: str = "f32"
    low: int = 0

    @property
    def bytes(self) -> int:
        return ELEMENT_BYTES[self.kind]


F32 = Storage()


@dataclass(frozen=True, slots=True)
class Dot:
    """How a product runs on whole numbers: the storage of its left operand, of its output and of
    each operand of its epilogue."""

    x: Storage = F32
    out: Storage = F32
    extras: tuple[Storage, ...] = ()

    def wants(self, first: int) -> "dict[int, Want]":
        """Of the epilogue's operands, the inputs from number `first` on."""
        return {i: Want(storage=s) for i, s in enumerate(self.extras, first) if s != F32}

    def packings(self, channels: int) -> "dict[int, Packing]":
        """Of input 2, the bias."""
        return {2: Packing("i32", channels)} if self.x != F32 else {}


@dataclass(frozen=True, slots=True)
class Want:
    """How a kernel needs one operand laid out. `align`: the pixel stride is a multiple of it;
    lanes beyond C hold garbage that must not reach lanes below C."""

    halo: Halo = NO_HALO
    align: int = 1
    storage: Storage = F32


ANY = Want()


@dataclass(frozen=True, slots=True)
class Packing:
    """How a constant lies in the heap: `kind` names a packer of the target ("raw" copies, "i32"
    holds whole numbers that the program brings itself), `elements` is the packed size, `args` are
    the packer's numbers."""

    kind: str
    elements: int
    args: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """A kernel's demands for one node on one linear-memory target.

    `strided`: operands may be strided NHWC (halo, padded channels); otherwise all are dense.
    `same`: indices of inputs whose strides must equal the output's (residuals).
    """

    inputs: Mapping[int, Want] = field(default_factory=dict)
    output: Want = ANY
    packings: Mapping[int, Packing] = field(default_factory=dict)
    scratch: int = 0
    strided: bool = True
    same: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value in linear memory. `offset` is the element index of its logical element [0, …, 0];
    the innermost stride is 1. `base`..`base + size`, in f32 elements, is what is allocated, halo
    included. `whole`: the concatenation among whose channels it lies."""

    name: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    base: int = 0
    size: int = 0
    halo: Halo = NO_HALO
    packing: Packing | None = None
    storage: Storage = F32
    whole: str = ""

    @property
    def dense(self) -> bool:
        return self.strides == dense_strides(self.shape)


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel call. `scratch` is the heap offset of the `room` elements it asked for."""

    node: Node
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    scratch: int = 0
    room: int = 0


@dataclass(frozen=True, slots=True)
class Weight:
    """A constant in the heap: canonical data of `constant`, laid out as `packing` says."""

    constant: str
    packing: Packing
    offset: int


@dataclass(frozen=True)
class Slices:
    """A batch runs in `count` slices: steps see `inputs` and `outputs`, a slice of the plan's."""

    count: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class LinearPlan:
    """A complete program: `elements` is the heap's length; `staging` is where a
    constant is written, after its scales, before its packer runs (free until the first run)."""

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
        """How often a run takes each step."""
        return self.slices.count if self.slices else 1


def dense_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def round_up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple
