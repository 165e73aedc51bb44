"""The device check's inputs and outputs: random inputs that Python and the browser draw alike.

A visitor's device repeats the run, before its first result or right after it. If the outputs are
too far off, the next target takes over.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from ..manifest.manifest import Port
from ..pack.proof import Golden, GoldenOutput

Bounds = Sequence[tuple[float, float]]  # (smallest, largest value) of each input

SEED = 1
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


def ranges(inputs: Sequence[Port], known: Mapping[str, tuple[float, float]]
           ) -> list[tuple[float, float]]:
    """The (smallest, largest) random value of each input: `known` by name, or else 0 and 1. The
    elements of a vector are scaled so that they add up to about 1, as blending weights do."""
    def one(port: Port) -> tuple[float, float]:
        if port.name in known:
            return known[port.name]
        return (0.0, 2.0 / port.shape[0]) if len(port.shape) == 1 else (0.0, 1.0)

    return [one(port) for port in inputs]


def draw(inputs: Sequence[Port], bounds: Bounds) -> dict[str, np.ndarray]:
    """Input name -> f32 array of random numbers; integer inputs are rounded down. One stream of
    numbers runs through all inputs.

    Source: xorshift32, G. Marsaglia, "Xorshift RNGs", 2003, with a=13, b=17, c=5.
    """
    state, feeds = SEED, {}
    for port, (low, high) in zip(inputs, bounds, strict=True):
        count = int(np.prod(port.shape, dtype=np.int64))
        raw = np.empty(count, np.uint32)
        for i in range(count):
            state ^= (state << 13) & 0xFFFFFFFF
            state ^= state >> 17
            state ^= (state << 5) & 0xFFFFFFFF
            raw[i] = state
        values = low + (raw >> 8) / 2**24 * (high - low)
        if not port.dtype.startswith("f"):
            values = np.floor(values)
        feeds[port.name] = values.astype(np.float32).reshape(port.shape)
    return feeds


def golden(bounds: Bounds, outputs: Sequence[np.ndarray], *, metric: Literal["peak", "l2"],
           tolerance: float) -> Golden:
    """What the manifest keeps of `outputs`, the results for the random inputs. Quantized nets take
    the metric "l2", for there a rounding tie moves single values."""
    kept = []
    for output in outputs:
        flat = np.asarray(output, np.float64).ravel()
        indices = np.unique(np.linspace(0, len(flat) - 1, min(SAMPLES, len(flat))).astype(int))
        kept.append(GoldenOutput(tuple(indices.tolist()),
                                 tuple(float(f"{v:.8g}") for v in flat[indices]),
                                 float(f"{np.abs(flat).max():.8g}")))
    return Golden(SEED, tuple(bounds), tuple(kept), metric, tolerance)


def golden_distance(golden: Golden, outputs: Sequence[np.ndarray]) -> float:
    """How far the kept elements are off, in the golden's metric; the worst output counts. Infinite
    where a value is not a number.

    Raises:
        ValueError: there are not as many outputs as kept ones.
        IndexError: an output is shorter than the kept one.
    """
    worst = 0.0
    for want, got in zip(golden.outputs, outputs, strict=True):
        values = np.asarray(want.values, np.float64)
        difference = got[np.asarray(want.indices, np.int64)].astype(np.float64) - values
        if golden.metric == "l2":
            error = np.linalg.norm(difference) / (np.linalg.norm(values) or 1.0)
        else:
            error = np.abs(difference).max(initial=0.0) / (want.peak or 1.0)
        worst = max(worst, float(np.nan_to_num(error, nan=np.inf)))
    return worst
