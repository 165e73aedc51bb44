"""Epilogues in JavaScript: the expression that a kernel applies to a finished sum."""

from dataclasses import dataclass

from ...graph.expr import Expr, inp
from ...graph.graph import Node
from ...ops.attrs import epilogue_of
from ..layout import Tensor
from .module import assign, lift


@dataclass(frozen=True)
class Epilogue:
    """`names` are parameters of the kernel's function and `values` their arguments: one for each
    extra operand, then one for each number in the expression.

    `whole[i]`: extra i has the output's shape and lies at the output's index plus its argument.
    Otherwise it is a vector over channels and lies at the channel plus its argument.
    """

    expr: Expr
    names: tuple[str, ...]
    values: tuple[float, ...]
    whole: tuple[bool, ...]

    def store(self, value: str, at: str, channel: str) -> str:
        """JavaScript that stores the sum `value` at element `at` of the heap."""
        extras = [f"H[{name} + {at if whole else channel}]"
                  for name, whole in zip(self.names, self.whole, strict=False)]
        return assign(f"H[{at}]", self.expr, [value, *extras, *self.names[len(extras):]])


def epilogue(node: Node, out: Tensor, extras: tuple[Tensor, ...]) -> Epilogue:
    """The epilogue of `node`, with `extras` as its extra operands."""
    expr, numbers = lift(epilogue_of(node) or inp(0), 1 + len(extras))
    whole = tuple(t.shape == out.shape for t in extras)
    return Epilogue(
        expr,
        (*(f"e{i}" for i in range(len(extras))), *(f"k{i}" for i in range(len(numbers)))),
        (*(t.offset - out.offset * w for t, w in zip(extras, whole, strict=True)), *numbers),
        whole,
    )
