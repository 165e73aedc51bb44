"""The golden check: random inputs that Python and the browser draw alike, and their outputs.

A visitor's device repeats the run, before its first result or right after it; a target whose
numbers are off is left for the next one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SEED = 1
SAMPLES = 256  # output elements kept per output, evenly spread

# A device may round otherwise than the build machine (fused multiply-adds, Winograd, f16 units):
# ten times what a pack's proof admits. Wrong kernels are off by more than the peak itself.
MARGIN = 10
# Two results of a net that rounds inside are each as far from the exact one, so at most twice that
# from each other.
APART = 2
QUANTIZED_FLOOR = 0.25  # relative L2; a wrong kernel's result is about as far off as it is long


def ranges(inputs: Sequence[Mapping[str, Any]], known: Mapping[str, tuple[float, float]]
           ) -> list[tuple[float, float]]:
    """The (low, high) of each input's random values: `known` ones, else 0..1; a vector's elements
    are scaled so that they add up to about 1, as blending weights do."""
    def one(port: Mapping[str, Any]) -> tuple[float, float]:
        if port["name"] in known:
            return known[port["name"]]
        return (0.0, 2.0 / port["shape"][0]) if len(port["shape"]) == 1 else (0.0, 1.0)

    return [one(port) for port in inputs]


def draw(inputs: Sequence[Mapping[str, Any]], bounds: Sequence[tuple[float, float]]
         ) -> dict[str, np.ndarray]:
    """Input name -> f32 array of xorshift32 numbers (Marsaglia 2003, "Xorshift RNGs", a=13 b=17
    c=5), one stream over all inputs; integer inputs are rounded down."""
    state, feeds = SEED, {}
    for port, (low, high) in zip(inputs, bounds, strict=True):
        count = int(np.prod(port["shape"], dtype=np.int64))
        raw = np.empty(count, np.uint32)
        for i in range(count):
            state ^= (state << 13) & 0xFFFFFFFF
            state ^= state >> 17
            state ^= (state << 5) & 0xFFFFFFFF
            raw[i] = state
        values = low + (raw >> 8) / 2**24 * (high - low)
        if not port["dtype"].startswith("f"):
            values = np.floor(values)
        feeds[port["name"]] = values.astype(np.float32).reshape(port["shape"])
    return feeds


def golden(bounds: Sequence[tuple[float, float]], outputs: Sequence[np.ndarray], *,
           metric: str, tolerance: float) -> dict:
    """The manifest's `golden`. `metric` "peak": max |error| over the output's peak; "l2": the
    error's norm over the output's, for quantized nets where a rounding tie moves single values."""
    kept = []
    for output in outputs:
        flat = np.asarray(output, np.float64).ravel()
        indices = np.unique(np.linspace(0, len(flat) - 1, min(SAMPLES, len(flat))).astype(int))
        kept.append({"indices": indices.tolist(),
                     "values": [float(f"{v:.8g}") for v in flat[indices]],
                     "peak": float(f"{np.abs(flat).max():.8g}")})
    return {"seed": SEED, "ranges": [list(b) for b in bounds], "outputs": kept,
            "metric": metric, "tolerance": tolerance}


def golden_distance(golden: Mapping[str, Any], outputs: Sequence[np.ndarray]) -> float:
    """How far the kept elements are off, in the golden's metric; the worst output counts."""
    worst = 0.0
    for want, got in zip(golden["outputs"], outputs, strict=True):
        values = np.asarray(want["values"], np.float64)
        difference = got[want["indices"]].astype(np.float64) - values
        if golden["metric"] == "l2":
            error = np.linalg.norm(difference) / (np.linalg.norm(values) or 1.0)
        else:
            error = np.abs(difference).max(initial=0.0) / (want["peak"] or 1.0)
        worst = max(worst, float(np.nan_to_num(error, nan=np.inf)))
    return worst
