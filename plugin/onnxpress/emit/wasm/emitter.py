"""One WebAssembly module under construction, for one instruction set: what kernels emit into."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..layout import LinearPlan, Tensor
from .asm import I32, PAGE, Function, Module


@dataclass(frozen=True, slots=True)
class Affine:
    """base + the sum of local * stride: a number that the step computes from its loop counters.
    `terms` are pairs (local of the step, stride)."""

    base: int = 0
    terms: tuple[tuple[int, int], ...] = ()

    def __add__(self, other: "Affine | int") -> "Affine":
        if isinstance(other, int):
            return Affine(self.base + other, self.terms)
        return Affine(self.base + other.base, self.terms + other.terms)

    __radd__ = __add__

    def __mul__(self, factor: int) -> "Affine":
        return Affine(self.base * factor, tuple((n, s * factor) for n, s in self.terms))

    __rmul__ = __mul__

    def push(self, f: Function) -> None:
        """Pushes the number; `f` is the step, or a phase of it."""
        f.i32(self.base)
        for counter, stride in self.terms:
            f.get(counter)
            if stride != 1:
                f.i32(stride).op("i32.mul")
            f.op("i32.add")


# A number known at build, or one that the step computes.
Argument = int | Affine

# Parameters of a step: the thread's index, the number of threads, and the byte address of the
# thread's own memory beyond the heap, 0 for a thread alone. Every thread runs every step: share.py.
STEP = (PART, PARTS, MINE) = (0, 1, 2)


class Emitter:
    """A module under construction. Kernels are functions, made on first use and shared by steps.

    A step is one function, or several: `phases` hold the finished ones, `step` the one being
    emitted. `sharing` says which threads run what is emitted now: "" all of them, "share" each its
    share, "alone" the first thread only. `loops` counts the step's open loops. `pieces` is the
    most parts into which the step can be cut. `mine` is how many bytes of its own each thread
    needs.
    """

    def __init__(self, isa: str, plan: LinearPlan) -> None:
        self.isa, self.plan = isa, plan
        self.barrier = Function("barrier", [I32])
        self.module = Module([self.barrier])
        self.step = Function("")
        self.phases: list[Function] = []
        self.sharing, self.loops, self.pieces, self.mine = "", 0, 1, 0
        self._kernels: dict[tuple, Function] = {}
        self._data: dict[bytes, int] = {}
        self._data_end = plan.elements * 4

    @property
    def relaxed(self) -> bool:
        """Whether the module may use relaxed SIMD, such as fused multiply-adds."""
        return self.isa == "relaxed"

    def begin(self, name: str) -> Function:
        """A new current step."""
        self.phases, self.pieces = [], 1
        return self._open(name)

    def cut(self) -> None:
        """Starts the next phase of the current step: a function with locals of its own."""
        self.phases.append(self.step)
        self._open(self.step.name)

    def end(self) -> list[Function]:
        """The phases of the current step, added to the module."""
        return [self.module.add(phase) for phase in (*self.phases, self.step)]

    def _open(self, name: str) -> Function:
        self.step = Function(name, [I32] * len(STEP))
        return self.step

    def kernel(self, key: tuple, build: Callable[[], Function], export: bool = False) -> Function:
        """The function for `key`, built and added on first use."""
        if key not in self._kernels:
            self._kernels[key] = self.module.add(build(), export)
        return self._kernels[key]

    def data(self, content: bytes) -> int:
        """The byte address of the constant `content`, such as an index table."""
        if content not in self._data:
            at = -(-self._data_end // 16) * 16
            self._data[content] = at
            self.module.segments.append((at, content))
            self._data_end = at + len(content)
        return self._data[content]

    def call(self, function: Function, *args: Argument) -> None:
        """A call in the current step. Outside of `share`, the first thread alone makes it."""
        with self.alone():
            for arg in args:
                affine(arg).push(self.step)
            self.step.call(function)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The first thread alone runs what is emitted inside."""
        if self.sharing:
            yield
            return
        self.step.get(PART).op("i32.eqz")
        with self.step.if_():
            self.sharing = "alone"
            yield
            self.sharing = ""

    @contextmanager
    def times(self, count: Argument) -> Iterator[Affine]:
        """A loop of the current step around what is emitted inside: its counter, 0..count-1."""
        count = affine(count)
        if count == Affine(1):
            yield Affine()
            return
        i = self.step.local()
        self.step.i32(0).set(i)
        self.loops += 1
        with self.step.loop():
            yield Affine(0, ((i, 1),))
            self.step.get(i).i32(1).op("i32.add").tee(i)
            count.push(self.step)
            self.step.op("i32.lt_u").br_if(0)
        self.loops -= 1

    def madd(self, f: Function, a: int, b: int, acc: int) -> None:
        """acc += a * b on vector locals."""
        self.fma(f, a, b, lambda: f.get(acc))
        f.set(acc)

    def fma(self, f: Function, a: int, b: int, c: Callable[[], object], sign: int = 1) -> None:
        """Pushes c + sign * a * b; `a` and `b` are vector locals, `c()` pushes a vector."""
        if self.relaxed:
            f.get(a, b)
            c()
            f.op("f32x4.relaxed_madd" if sign > 0 else "f32x4.relaxed_nmadd")
        else:
            c()
            f.get(a, b).op("f32x4.mul", "f32x4.add" if sign > 0 else "f32x4.sub")

    def dot(self, f: Function, weights: int, values: int, acc: int, kind: str) -> None:
        """acc += the sum of products in each 32-bit lane: of 4 bytes (`kind` "u8", where `values`
        are 0..127) or of 2 i16."""
        if kind == "u8":
            f.get(weights, values, acc).op("i32x4.relaxed_dot_i8x16_i7x16_add_s")
        else:
            f.get(acc, weights, values).op("i32x4.dot_i16x8_s", "i32x4.add")
        f.set(acc)

    def splat(self, f: Function, address: int, offset: int) -> None:
        """Pushes the f32 at local `address` + `offset` bytes in all lanes. JavaScriptCore, which
        has no relaxed SIMD, is a third faster with a scalar load and a splat; V8 is faster with
        load32_splat."""
        f.get(address)
        if self.relaxed:
            f.load("v128.load32_splat", offset)
        else:
            f.load("f32.load", offset).op("f32x4.splat")

    @property
    def pages(self) -> int:
        """Pages of 64 KiB that a run with one thread needs."""
        return -(-(self._data_end + 64) // PAGE)

    def encode(self) -> bytes:
        """The module's bytes."""
        return self.module.encode(self.pages)


def affine(n: Argument) -> Affine:
    """`n` as an Affine."""
    return n if isinstance(n, Affine) else Affine(n)


def address(t: Tensor) -> int:
    """The byte address of a tensor's element [0, ..., 0]."""
    return t.offset * t.storage.bytes
