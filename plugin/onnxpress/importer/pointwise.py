"""Elementwise nodes: rows of ops/pointwise.py applied unchanged, and casts."""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

from ..ops.pointwise import FORMULAS, Formula, cast
from .builder import Builder
from .call import Call


def lower(b: Builder, call: Call) -> str:
    row = FORMULAS[call.op]
    operands = [call.optional(i) for i in range(len(call.inputs))]
    arity(call, row, operands)
    source = operands[1] if call.op == "Where" else operands[0]
    dtype = b.dtype(source or call.input(0))
    keywords = {
        p.name: dtype if p.name == "dtype" else attribute(call, p.name, p.default)
        for p in signature(row.build).parameters.values() if p.kind is Parameter.KEYWORD_ONLY
    }
    return b.pointwise(row.build, *operands, **keywords,
                       result=dtype if row.result == "same" else row.result)


def arity(call: Call, row: Formula, operands: list[str | None]) -> None:
    """Checks the number of operands.

    Raises:
        ModelError: the row takes another number.
    """
    kinds = [p for p in signature(row.build).parameters.values()
             if p.kind is not Parameter.KEYWORD_ONLY]
    if kinds[0].kind is Parameter.VAR_POSITIONAL:
        if not operands or None in operands:
            raise call.bad("it needs one input at least, and none may be absent")
        return
    needed = [p for p in kinds if p.default is Parameter.empty]
    if not len(needed) <= len(operands) <= len(kinds) or None in operands[: len(needed)]:
        raise call.bad(f"it takes {len(needed)} inputs, it has {len(operands)}")


def attribute(call: Call, name: str, default: Any) -> Any:
    """The node's attribute, of the type that the row's default has."""
    if name == "approximate":
        return call.text(name, default, ("none", "tanh"))
    if name == "direction":
        return call.text(name, "", ("LEFT", "RIGHT"))
    if default is None:
        return call.number(name) if name in call.attrs else None
    return call.integer(name, default) if isinstance(default, int) else call.number(name, default)


def lower_cast(b: Builder, call: Call) -> str:
    x = call.input(0)
    to = b.dtype(call.input(1)) if call.op == "CastLike" else call.dtype("to")
    return cast_to(b, x, to)


def cast_to(b: Builder, x: str, to: str) -> str:
    dtype = b.dtype(x)
    return x if dtype == to else b.pointwise(cast, x, result=to, dtype=dtype, to=to)


def identity(b: Builder, call: Call) -> str:
    return call.input(0)


def dropout(b: Builder, call: Call) -> str:
    """Returns x: inference changes nothing, and the mask would be all true."""
    call.only_output("mask")
    training = b.known(call, 2, "training_mode")
    if training is not None and training.any():
        raise call.refused("training_mode is on; export the model for inference")
    return call.input(0)


LOWERINGS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(FORMULAS, lower),
    "Cast": lower_cast,
    "CastLike": lower_cast,
    "Identity": identity,
    "Dropout": dropout,
}
