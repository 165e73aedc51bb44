"""What becomes of an accumulator before a kernel stores it: an expression over it and extras.

An extra is a residual (the output's shape and strides: read at the output's address plus a
constant distance) or a channel vector (read at the channel's byte offset).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...graph.expr import Expr, inp
from ..layout import F32, Step, Storage
from .asm import I32, V128, Function
from .emitter import Affine, Emitter, address
from .expr import render

ACCUMULATOR = inp(0)


@dataclass(frozen=True, slots=True)
class Epilogue:
    """Input 0 of `expr` is the accumulator, input i the extra of `kinds[i - 1]`, stored as
    `extras[i - 1]` says; the result is stored as `out` says. `whole`: accumulators are i32."""

    expr: Expr = ACCUMULATOR
    kinds: tuple[str, ...] = ()
    extras: tuple[Storage, ...] = ()
    out: Storage = F32
    whole: bool = False

    @property
    def params(self) -> str:
        """Names of the parameters a kernel takes for it, to append to its own."""
        return "".join(f" extra{i}" for i in range(len(self.kinds)))

    def args(self, extras: Sequence[Affine], channel: "Affine | int") -> list[Affine]:
        """The arguments for an output that starts `channel` bytes further in its pixel."""
        return [x + channel if kind == "channel" else x
                for x, kind in zip(extras, self.kinds, strict=True)]


IDENTITY = Epilogue()


def epilogue(step: "Step", first: int) -> tuple[Epilogue, list[Affine]]:
    """The step's epilogue and its arguments; its extras start at input `first`."""
    out = step.outputs[0]
    kinds, args = [], []
    for t in step.inputs[first:]:
        residual = t.shape == out.shape
        kinds.append("residual" if residual else "channel")
        args.append(Affine(address(t) - (address(out) if residual else 0)))
    return Epilogue(step.node.attrs.get("epilogue") or ACCUMULATOR, tuple(kinds),
                    tuple(t.storage for t in step.inputs[first:]), out.storage,
                    "dot" in step.node.attrs), args


class Finisher:
    """Stores finished vectors inside one kernel. `params` are the locals of the extras. Constants
    are held from the kernel's start: V8 would rebuild them, lane by lane, at each use."""

    def __init__(self, e: Emitter, f: Function, epilogue: Epilogue, params: Sequence[int]) -> None:
        self.e, self.f, self.epilogue, self.params = e, f, epilogue, params
        self.extras, self.at = f.many(len(params)), f.local(I32)
        self.constants = {}
        for value in sorted(_constants(epilogue.expr)):
            self.constants[value] = f.local(V128)
            f.f32x4(value).set(self.constants[value])

    def store_pixel(self, pixel: int, channel: int, acc: Sequence[int]) -> None:
        """Stores a pixel's vectors `acc`, of channels from local `channel` on."""
        at = self.at
        self.f.get(pixel, channel).op("i32.add").set(at)
        for v, vector in enumerate(acc):
            self.store(at, channel, vector, 16 * v)

    def store(self, at: int, channel: int, acc: int, offset: int = 0) -> None:
        """Stores `acc`, finished, at local address `at` + `offset`; `channel` is the local with
        its byte offset in the pixel (without `offset`)."""
        f = self.f
        for kind, param, extra in zip(self.epilogue.kinds, self.params, self.extras, strict=True):
            f.get(param, at if kind == "residual" else channel).op("i32.add")
            f.load("v128.load", offset).set(extra)
        f.get(at)
        render(self.epilogue.expr, f, [acc, *self.extras], self.e, self.constants)
        f.store("v128.store", offset)


def _constants(expr: Expr) -> set[float]:
    """The numbers in `expr`, but for 0, which costs nothing to make."""
    own = {expr.value} if expr.op == "const" and expr.value else set()
    return own.union(*map(_constants, expr.args))
