"""Types of the manifest: what a target's programs need to know, beside their own files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..files import FileEntry
from .proof import Golden, Tolerance

StepCost = tuple[str, int, int]  # label, floating-point operations, bytes read and written


@dataclass(frozen=True, slots=True)
class Place:
    """Where an input or output lies in the heap."""

    name: str
    offset: int
    """f32 elements from the heap's start"""
    length: int
    """f32 elements"""


@dataclass(frozen=True, slots=True)
class WeightPlace:
    """Where a constant lies in the heap."""

    tensor: str
    """the name of the constant"""
    offset: int
    """f32 elements from the heap's start"""
    pack: str
    """the layout: "raw", or the name behind `pack_` of the function that writes it"""
    args: tuple[int, ...]
    """of that function"""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What every target has."""

    files: Mapping[str, FileEntry]
    """by the name of the build"""


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A program whose values lie in one heap of f32 elements."""

    elements: int
    """of the whole heap"""
    staging: int
    """the element from which on a constant may lie while it is being packed"""
    weights: tuple[WeightPlace, ...]
    inputs: tuple[Place, ...]
    """in the order of the model's inputs"""
    outputs: tuple[Place, ...]
    """in the order of the model's outputs"""
    steps: tuple[StepCost, ...]
    """label, floating-point operations, and bytes that it reads and writes"""


@dataclass(frozen=True, kw_only=True)
class Wasm(Linear):
    """A WebAssembly program."""

    pages: int
    """of 64 KiB: the memory of one thread"""
    bytes_per_thread: int
    """of memory beyond that for each of several threads"""
    threads: int
    """more do not pay"""
    workers: int | None = None
    """without a shared memory more do not pay; 1"""
    most_workers: int | None = None
    """for so many the file says what workers without a shared memory exchange; 1"""


@dataclass(frozen=True, kw_only=True)
class Arithmetic(Wasm):
    """WebAssembly builds that multiply whole numbers. Their names begin with the name of the
    arithmetic, "int8-" or "int16-"."""

    work: Mapping[str, float]
    """the time of all products: multiply-adds by the kind of their operands"""
    golden: Golden | None = None
    """the outputs that these builds gave"""


@dataclass(frozen=True, kw_only=True)
class WasmTarget(Wasm, Target):
    """WebAssembly."""

    arithmetic: Mapping[str, Arithmetic] = field(default_factory=dict)
    """by name: builds that multiply whole numbers; absent where there are none"""
    work: Mapping[str, float] = field(default_factory=dict)
    """of the builds in f32: multiply-adds in "f32"; absent where `arithmetic` is"""

    def program(self, build: str) -> Wasm:
        """The facts about one build."""
        return self.arithmetic.get(build.partition("-")[0], self)


@dataclass(frozen=True, kw_only=True)
class Webgpu:
    """A WebGPU program. All else about it is in its file."""

    steps: tuple[StepCost, ...]
    """label, floating-point operations, and bytes that it reads and writes"""


@dataclass(frozen=True, kw_only=True)
class WebgpuTarget(Webgpu, Target):
    """WebGPU."""

    checks: Mapping[str, Tolerance] = field(default_factory=dict)
    """of builds that are held to another tolerance than the golden's"""


@dataclass(frozen=True, kw_only=True)
class JsTarget(Linear, Target):
    """JavaScript."""


AnyTarget = WebgpuTarget | WasmTarget | JsTarget


@dataclass(frozen=True, slots=True)
class Targets:
    """The programs of the model, by target; one that cannot run it is absent."""

    webgpu: WebgpuTarget | None = None
    wasm: WasmTarget | None = None
    js: JsTarget | None = None

    def named(self) -> dict[str, AnyTarget]:
        """Target name -> its facts, for the targets that are there."""
        every = {"webgpu": self.webgpu, "wasm": self.wasm, "js": self.js}
        return {name: target for name, target in every.items() if target}
