"""A window of a resized picture, to the same bits as Pillow's `Image.resize` of columns, then of
rows, and as runtime/kinds/picture/resample.js. Pixels outside the window are never made: an image
of 20,000 x 4 pixels that fills a square would be a million pixels wide.

Each pass has fixed-point weights and rounds to 8 bits. Source: Pillow, src/libImaging/Resample.c.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BITS = 22  # of a weight's fraction


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - np.abs(x))


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -0.5. Source: Keys, "Cubic convolution interpolation", 1981."""
    t = np.abs(x)
    return np.where(t < 1, (1.5 * t - 2.5) * t * t + 1,
                    np.where(t < 2, -0.5 * (((t - 5) * t + 8) * t - 4), 0))


@dataclass(frozen=True, slots=True)
class Filter:
    """`support`: half of the filter's width."""

    support: float
    weight: Callable[[np.ndarray], np.ndarray]


FILTERS = {"bilinear": Filter(1, _triangle), "bicubic": Filter(2, _cubic)}


def _taps(count: int, size: int, window: range, how: Filter) -> tuple[int, np.ndarray]:
    """The first input position that counts, and float64[window, positions] of whole numbers. From
    `count` input positions to the `window` of `size` output positions."""
    scale = count / size
    stretch = max(scale, 1)
    rows = []
    for i in window:
        centre = (i + 0.5) * scale
        first = max(0, int(centre - how.support * stretch + 0.5))
        end = min(count, int(centre + how.support * stretch + 0.5))
        raw = how.weight((np.arange(first, end) - centre + 0.5) * (1 / stretch))
        fixed = raw / np.add.accumulate(raw)[-1] * 2**BITS  # added from left to right
        rows.append((first, np.trunc(np.where(fixed < 0, fixed - 0.5, fixed + 0.5))))
    start = min(first for first, _ in rows)
    matrix = np.zeros((len(rows), max(first + len(w) for first, w in rows) - start))
    for row, (first, weights) in zip(matrix, rows, strict=True):
        row[first - start:first - start + len(weights)] = weights
    return start, matrix


def _pass(matrix: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Along the first axis. Sums of whole numbers below 2^53 are exact in float64."""
    sums = np.tensordot(matrix, pixels.astype(np.float64), 1) + 2 ** (BITS - 1)
    return np.clip(np.floor(sums / 2**BITS), 0, 255).astype(np.uint8)


def resample(pixels: np.ndarray, size: tuple[int, int], columns: range, rows: range,
             filter_name: str) -> np.ndarray:
    """u8[H,W,3] resized to `size` (width, height) -> u8[rows, columns, 3]."""
    how = FILTERS[filter_name]
    top, down = _taps(pixels.shape[0], size[1], rows, how)
    left, along = _taps(pixels.shape[1], size[0], columns, how)
    part = pixels[top:top + down.shape[1], left:left + along.shape[1]]
    return _pass(down, _pass(along, part.transpose(1, 0, 2)).transpose(1, 0, 2))
