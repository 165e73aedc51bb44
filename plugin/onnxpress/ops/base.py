"""What an internal operator is: one row with all that is known about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph.graph import Attrs, Graph, Node, Shape
from ..targets import TARGETS
from .attrs import Product, WithEpilogue
from .copies import Moves

Shapes = Sequence[Shape]
Arrays = Sequence[np.ndarray]
Perm = tuple[int, ...]

EVERY_TARGET = tuple(TARGETS)
LINEAR = ("wasm", "js")  # the targets with linear memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One internal operator. The arguments `shapes` and `arrays` of its functions are in the order
    of `node.inputs`. No property has a default, so a row that forgets one fails at import.

    What it means:
    - `attrs`: the dataclass of its attributes, which also names it.
    - `outputs`: what its outputs are called, in their order.
    - `infer` returns the outputs' shapes and raises ValueError, with a sentence, for operands that
      do not fit.
    - `reference` returns the outputs: in float64, or in the input's own type where data only moves.
    - `flops` counts additions and multiplications.
    - `ulps` bounds the error of an output's element. One unit is f32 epsilon times the sum of the
      magnitudes that were added up (the convention of the WebNN conformance tests).

    How graphs with it are rewritten:
    - `own`: how many operands stand before the epilogue's operands. None: it takes no epilogue.
    - `weights_rank`: for a product of operand 0 with weights (operand 1) plus a bias (operand 2),
      the rank of the weights that share one bias. None: it is no such product.
    - `picks`: whether every element of the outputs is an element of an operand.
    - `follows` rewrites the attributes for operands that are stored in another order of axes. Axis
      a of a value is axis perm[a] of the stored array. None: it needs the axes in their own order.
    - `samples` tells whether the samples along the outputs' first axis are independent of each
      other; see ops/samples.py. None: it never runs on a batch in slices.

    How targets run it:
    - `moves` turns it into strided copies. None: it does more than move elements.
    - `alias` returns the element of the dense operand at which the output begins, if the output is
      a contiguous part of it, or else None. None in place of `alias`: elements always move.
    - `reads_by_data`: the operands whose elements are addressed by data, as gather's indices
      address its operand 0. Workers that share no memory must hold all their elements.
    - `kernel`: the folder below kernels/ that runs it. None: nothing has to run.
    - `targets`: the targets where it needs a kernel.
    """

    attrs: type[Attrs]
    outputs: tuple[str, ...]
    infer: Callable[[Node, Shapes], tuple[Shape, ...]]
    reference: Callable[[Node, Arrays], tuple[np.ndarray, ...]]
    flops: Callable[[Node, Shapes], int]
    ulps: Callable[[Node, Shapes], float]

    own: int | None
    weights_rank: int | None
    picks: Callable[[Node], bool]
    follows: Callable[[Any, Perm], Attrs] | None
    samples: Callable[[Node, Graph, set[str]], bool] | None

    moves: Callable[[Node, list[Shape], Shape, list[Shape], Shape], Moves] | None
    alias: Callable[[Node, Shape, Shape], int | None] | None
    reads_by_data: tuple[int, ...]
    kernel: str | None
    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        for said, kind in ((self.own, WithEpilogue), (self.weights_rank, Product)):
            if (said is not None) != issubclass(self.attrs, kind):
                raise TypeError(f"{self.name}: its row and its attributes differ about "
                                f"{kind.__name__}")

    @property
    def name(self) -> str:
        return self.attrs.op


def exact(node: Node, shapes: Shapes) -> float:
    """No rounding at all: values move or are compared."""
    return 0.0


def free(node: Node, shapes: Shapes) -> int:
    """No arithmetic."""
    return 0


def always(node: Node) -> bool:
    return True


def never(node: Node) -> bool:
    return False


def doubles(arrays: Arrays) -> list[Any]:
    """The arrays in float64."""
    return [np.asarray(a, np.float64) for a in arrays]


def need(condition: bool, sentence: str) -> None:
    """Raises ValueError(sentence) unless `condition` holds."""
    if not condition:
        raise ValueError(sentence)
