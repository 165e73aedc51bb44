"""ONNX's own reference implementation: it runs models that onnxruntime cannot, slowly."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx.reference import ReferenceEvaluator

Arrays = Mapping[str, np.ndarray]


def reference_run(model: Any) -> Callable[[Arrays], Sequence[np.ndarray]]:
    """A function from the inputs of `model`, by name, to its outputs in their order. Both raise
    whatever an operator of that implementation raises."""
    evaluator = ReferenceEvaluator(model)
    return lambda feeds: [np.asarray(one) for one in evaluator.run(None, dict(feeds))]
