"""What a kernel tells the planner, and what the planner hands back to a kernel.

Linear memory is one heap of f32 elements, the same for the wasm and js targets: packed weights
first, then an arena that steps share by lifetime. Every offset and stride counts elements.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from .graph import Node

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


@dataclass(frozen=True, slots=True)
class Want:
    """How a kernel needs one operand laid out. `align`: the pixel stride is a multiple of it;
    lanes beyond C hold garbage that must not reach lanes below C."""

    halo: Halo = NO_HALO
    align: int = 1


ANY = Want()


@dataclass(frozen=True, slots=True)
class Pack:
    """How a constant lies in the heap: `kind` names a packer of the target ("raw" copies),
    `elements` is the packed size, `args` are the packer's numbers."""

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
    packs: Mapping[int, Pack] = field(default_factory=dict)
    scratch: int = 0
    strided: bool = True
    same: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value in linear memory. `offset` is the element index of its logical element [0, …, 0];
    the innermost stride is 1. `base`..`base + size` is what is allocated, halo included."""

    name: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    base: int = 0
    size: int = 0
    halo: Halo = NO_HALO
    pack: Pack | None = None

    @property
    def dense(self) -> bool:
        return self.strides == dense_strides(self.shape)


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel call. `scratch` is the heap offset of the elements it asked for."""

    node: Node
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    scratch: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """A constant in the heap: canonical data of `constant`, laid out as `pack` says."""

    constant: str
    pack: Pack
    offset: int


@dataclass(frozen=True)
class LinearPlan:
    """A complete program: `elements` is the heap's length; `staging` is where a canonical
    constant is written before its packer runs (free until the first run)."""

    target: str
    steps: tuple[Step, ...]
    slots: tuple[Slot, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    staging: int
    elements: int


def dense_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def round_up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple
