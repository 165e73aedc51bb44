"""Types of the manifest: published files, and the weights in them."""

from dataclasses import dataclass
from typing import Literal

from ..files import FileEntry

EncodingName = Literal["f32", "f16", "int8", "int4"]
Metric = Literal["cosine", "psnr_db", "iou", "relative_l2", "max_error_over_peak", "excess"]


@dataclass(frozen=True, slots=True)
class Packed:
    """How a shard unpacks: in planes, the first byte of every value, then the second, and so on."""

    bytes: int
    """of the unpacked shard"""
    planes: Literal[1, 2, 4]
    """bytes of one value: 1 for int8, 2 for f16, 4 for f32"""
    raw: int
    """the first planes, so many, lie in the file as they are; the others are deflated (RFC 1950)"""


@dataclass(frozen=True, slots=True)
class Shard(FileEntry):
    """A file of weights: one slice of the stream of all weights."""

    packed: Packed | None = None
    """absent where the file is the slice itself"""


@dataclass(frozen=True, slots=True)
class Part:
    """Where some bytes lie in the unpacked stream of weights."""

    shard: int
    """the shard in which they start; they may run on into the following shards"""
    offset: int
    """bytes from the start of the unpacked shard, a multiple of 16"""
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightTensor:
    """A constant of the model and where its values lie."""

    name: str
    shape: tuple[int, ...]
    encoding: EncodingName
    """int8 is symmetric per index of the last axis; int4 per `group` rows of a column (rows: all
    axes but the last), two values in a byte, the first in the low bits"""
    shard: int
    """the shard in which the values start; they may run on into the following shards"""
    offset: int
    """bytes from the start of the unpacked shard, a multiple of 16"""
    bytes: int
    """of the values"""
    scale: Part | None = None
    """int8: one f32 for each index of the last axis; int4: one f16 for each group and index of the
    last axis"""
    group: int | None = None
    """int4: rows that share a scale"""

    @property
    def part(self) -> Part:
        """Where the values lie."""
        return Part(self.shard, self.offset, self.bytes)


@dataclass(frozen=True, slots=True)
class Tried:
    """A way to store the weights that was tried, with the figure nearest to its limit."""

    encoding: EncodingName
    bytes: int
    """of all shards, as downloaded"""
    holds: bool
    judged: Metric
    """the name of the figure"""
    value: float
    limit: float
    same_top1: bool | None
    """whether every sample keeps its first class; null where the model names no classes"""
    reason: str
    """which tensors are stored otherwise, or an empty text"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """All constants of the model."""

    encoding: EncodingName | None = None
    tried: tuple[Tried, ...] = ()
    """in this order; the last one is the chosen one"""
    bytes: int
    """of all shards, as downloaded"""
    shards: tuple[Shard, ...]
    tensors: tuple[WeightTensor, ...]
