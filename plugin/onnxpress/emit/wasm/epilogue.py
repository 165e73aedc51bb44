"""Epilogues: the expression that a kernel applies to an accumulator before it stores it.

The expression reads the accumulator and the node's extra operands. An extra is either a residual,
with the output's shape and strides, or a vector over channels. A residual is read at the output's
address plus a constant distance, a vector at the channel's byte offset.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...graph.expr import Expr, inp
from ...graph.storage import F32, Storage
from ...ops import own_operands
from ...ops.attrs import Product, epilogue_of
from ..layout import Step
from .asm import I32, V128, Function
from .emitter import Affine, Argument, Emitter, address
from .expr import render

ACCUMULATOR = inp(0)


@dataclass(frozen=True, slots=True)
class Epilogue:
    """Input 0 of `expr` is the accumulator; input i is extra i - 1.

    `kinds`: "residual" or "channel" for each extra. `extras`: their storage. `out`: the storage of
    the result. `whole`: accumulators are i32, not f32.
    """

    expr: Expr = ACCUMULATOR
    kinds: tuple[str, ...] = ()
    extras: tuple[Storage, ...] = ()
    out: Storage = F32
    whole: bool = False

    @property
    def params(self) -> str:
        """Names of the parameters that a kernel takes for the extras, to append to its own."""
        return "".join(f" extra{i}" for i in range(len(self.kinds)))

    def args(self, extras: Sequence[Affine], channel: Argument) -> list[Affine]:
        """The arguments for those parameters, if the output starts `channel` bytes into a pixel."""
        return [x + channel if kind == "channel" else x
                for x, kind in zip(extras, self.kinds, strict=True)]


IDENTITY = Epilogue()


def epilogue(step: Step) -> tuple[Epilogue, list[Affine]]:
    """The step's epilogue and its arguments: a residual's distance from the output, or a vector's
    address, in bytes. The inputs behind the operator's own are the extras."""
    first, out = own_operands(step.node), step.outputs[0]
    kinds, args = [], []
    for t in step.inputs[first:]:
        residual = t.shape == out.shape
        kinds.append("residual" if residual else "channel")
        args.append(Affine(address(t) - (address(out) if residual else 0)))
    return Epilogue(epilogue_of(step.node) or ACCUMULATOR, tuple(kinds),
                    tuple(t.storage for t in step.inputs[first:]), out.storage,
                    Product.of(step.node).dot is not None), args


class Finisher:
    """Applies an epilogue and stores the result, inside one kernel. `params` are the locals of the
    extras. The expression's constants are loaded into locals at the kernel's start, because V8
    would rebuild them, lane by lane, at each use."""

    def __init__(self, e: Emitter, f: Function, epilogue: Epilogue, params: Sequence[int]) -> None:
        self.e, self.f, self.epilogue, self.params = e, f, epilogue, params
        self.extras, self.at = f.many(len(params)), f.local(I32)
        self.constants = {}
        for value in sorted(_constants(epilogue.expr)):
            self.constants[value] = f.local(V128)
            f.f32x4(value).set(self.constants[value])

    def store_pixel(self, pixel: int, channel: int, acc: Sequence[int]) -> None:
        """Stores the vectors `acc` of the pixel at local `pixel`, from byte offset `channel` on."""
        at = self.at
        self.f.get(pixel, channel).op("i32.add").set(at)
        for v, vector in enumerate(acc):
            self.store(at, channel, vector, 16 * v)

    def store(self, at: int, channel: int, acc: int, offset: int = 0) -> None:
        """Applies the epilogue to `acc` and stores it at local `at` + `offset` bytes. Local
        `channel` is `at`'s byte offset in its pixel."""
        f = self.f
        for kind, param, extra in zip(self.epilogue.kinds, self.params, self.extras, strict=True):
            f.get(param, at if kind == "residual" else channel).op("i32.add")
            f.load("v128.load", offset).set(extra)
        f.get(at)
        render(self.epilogue.expr, f, [acc, *self.extras], self.e, self.constants)
        f.store("v128.store", offset)


def _constants(expr: Expr) -> set[float]:
    """The constants in `expr` except 0, which costs nothing to make."""
    own = {expr.value} if expr.op == "const" and expr.value else set()
    return own.union(*map(_constants, expr.args))
