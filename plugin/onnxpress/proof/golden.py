"""The device check's outputs, for random inputs that Python and the browser draw alike.

A visitor's device repeats the run, before its first result or right after it. If the outputs are
too far off, the next target takes over. An output that is nearly constant would tell nothing, so
the build draws until each output varies.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..pack.proof import Golden, GoldenOutput
from .draws import Draw

SAMPLES = 256  # output elements kept per output, evenly spread

# A device may round otherwise than the build machine (fused multiply-adds, Winograd, f16 units): it
# may be off by ten times what a pack's proof admits. The outputs of a wrong kernel are off by more
# than their peak. Source: decision 0006.
MARGIN = 10
# A net that rounds inside gives results that may each be as far from the exact one as the other,
# on opposite sides: so they are at most twice that far apart.
APART = 2
# Relative L2 of quantized nets. A wrong kernel's result is off by about its own norm, 1.0. Source:
# decision 0006; the value was chosen, not measured.
QUANTIZED_FLOOR = 0.25


def golden(draw: Draw, outputs: Sequence[np.ndarray], *, metric: Literal["peak", "l2"],
           tolerance: float) -> Golden:
    """What the manifest keeps of `outputs`, the results for the random inputs `draw`. Quantized
    nets take the metric "l2", for there a rounding tie moves single values."""
    return Golden(draw.seed, draw.bounds, tuple(map(_kept, outputs)), metric, tolerance)


def _kept(output: np.ndarray) -> GoldenOutput:
    """SAMPLES elements, evenly spread, and the peak. JSON has no NaN and no infinity, so they are
    left out."""
    flat = np.asarray(output, np.float64).ravel()
    whole = np.flatnonzero(np.isfinite(flat))
    spread = np.linspace(0, len(whole) - 1, min(SAMPLES, len(whole))).astype(int)
    indices = whole[np.unique(spread)]
    return GoldenOutput(tuple(indices.tolist()), tuple(float(f"{v:.8g}") for v in flat[indices]),
                        float(f"{np.abs(flat[whole]).max(initial=0.0):.8g}"))


def silent(golden: Golden, others: Sequence[Sequence[np.ndarray]]) -> list[int]:
    """The numbers of the outputs for which a constant would pass the check. An output of one
    element is constant if the results for other inputs, `others`, would pass as well."""
    found = []
    for k, kept in enumerate(golden.outputs):
        values = np.asarray(kept.values)
        level = values.mean() if golden.metric == "l2" else (
            (values.max() + values.min()) / 2 if len(values) else 0.0)
        tries = [np.full(len(values), level), np.zeros(len(values))]
        if len(values) == 1:
            tries = [np.ravel(outputs[k])[list(kept.indices)] for outputs in others] + tries[1:]
        scale = kept.peak
        if any(_error(golden.metric, kept, np.asarray(t, np.float64)) <= golden.tolerance
               for t in tries) or not scale:
            found.append(k)
    return found


def golden_distance(golden: Golden, outputs: Sequence[np.ndarray]) -> float:
    """How far the kept elements are off, in the golden's metric; the worst output counts. Infinite
    where a value is not a number.

    Raises:
        ValueError: there are not as many outputs as kept ones.
        IndexError: an output is shorter than the kept one.
    """
    return max((_error(golden.metric, kept, got[np.asarray(kept.indices, np.int64)])
                for kept, got in zip(golden.outputs, outputs, strict=True)), default=0.0)


def _error(metric: str, kept: GoldenOutput, got: np.ndarray) -> float:
    values = np.asarray(kept.values, np.float64)
    difference = got.astype(np.float64) - values
    if metric == "l2":
        error = np.linalg.norm(difference) / (np.linalg.norm(values) or 1.0)
    else:
        error = np.abs(difference).max(initial=0.0) / (kept.peak or 1.0)
    return float(np.nan_to_num(error, nan=np.inf))
