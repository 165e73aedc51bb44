"""What an encoding that changes the weights must keep of f32's results, where no task says more.

- any single vector, such as the scores of a classifier: cosine at least 0.999;
- everything else: PSNR at least 40 dB.

Random inputs are held to the cosine or the PSNR alone: noise has no class, its best two scores may
lie arbitrarily close and its mask is all border, so a flip there says nothing about a visitor's
picture; the scores themselves still must agree.
"""

from collections.abc import Sequence

import numpy as np

from .base import Answer, Gate


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """-1 where a value is not finite."""
    if not np.isfinite(a).all():
        return -1.0
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / scale if scale else float(np.allclose(a, b))


def psnr(got: np.ndarray, want: np.ndarray) -> float:
    """In dB, against the range that the reference spans; between -200, also where a value is not
    finite, and 200."""
    span = float(np.ptp(want)) or 1.0
    mse = float(np.mean((got - want) ** 2))
    if not mse:
        return 200.0
    return float(np.clip(10 * np.log10(span * span / mse), -200, 200)) if mse < np.inf else -200.0


COSINE = Gate("cosine", 0.999, lambda value: (1 - value) / (1 - 0.999),
              lambda got, want, options: cosine(got, want))
PSNR = Gate("psnr_db", 40.0, lambda value: 10 ** ((40.0 - value) / 10),
            lambda got, want, options: psnr(got, want))


def choose_gate(answer: Answer, index: int, shape: Sequence[int], *, sample: bool) -> Gate:
    """The gate of output `index` of `shape`, on a sample or on a random input."""
    if index == answer.shown and answer.task.gate:
        return answer.task.gate(answer.options, sample)
    return COSINE if 1 < int(np.prod(shape)) == max(shape) else PSNR
