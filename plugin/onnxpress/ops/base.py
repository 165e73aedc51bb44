"""What an internal operator is: its shapes, its meaning in float64, its cost, its tolerance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph.graph import Node, Shape

Shapes = Sequence[Shape]
Arrays = Sequence[np.ndarray]


@dataclass(frozen=True, slots=True)
class Op:
    """One internal operator; `shapes` and `arrays` follow `node.inputs`.

    `infer` returns the outputs' shapes and raises ValueError, with a sentence, for operands that
    do not fit. `reference` returns the outputs: in float64, or in the input's own type where
    data only moves. `flops` counts additions and multiplications. `ulps` bounds an output's error
    in units of f32 epsilon times the sum of the magnitudes that were added up (the convention of
    the WebNN conformance tests).
    """

    name: str
    infer: Callable[[Node, Shapes], tuple[Shape, ...]]
    reference: Callable[[Node, Arrays], tuple[np.ndarray, ...]]
    flops: Callable[[Node, Shapes], int]
    ulps: Callable[[Node, Shapes], float]


def exact(node: Node, shapes: Shapes) -> float:
    """No rounding at all: values move or are compared."""
    return 0.0


def free(node: Node, shapes: Shapes) -> int:
    """No arithmetic."""
    return 0


def doubles(arrays: Arrays) -> list[Any]:
    return [np.asarray(a, np.float64) for a in arrays]


def need(condition: bool, sentence: str) -> None:
    """Raises ValueError(sentence) unless `condition` holds."""
    if not condition:
        raise ValueError(sentence)
