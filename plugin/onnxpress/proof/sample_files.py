"""Samples of a model without a spec: NumPy files with one array per input."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import ModelError


def read_sample(path: Path) -> dict[str, np.ndarray]:
    """Input name -> f32 array of an .npz file.

    Raises:
        ModelError: the file cannot be read, or holds something other than numbers.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name].astype(np.float32) for name in arrays.files}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: cannot be read as an .npz file of numbers: {error}") from None


def check_feeds(feeds: Sequence[Mapping[str, np.ndarray]],
                wanted: Mapping[str, Sequence[int]]) -> None:
    """Checks that every sample has the model's inputs. `wanted`: name -> shape.

    Raises:
        ModelError: an input is missing, unknown, of another shape or not finite.
    """
    for number, sample in enumerate(feeds, 1):
        if set(sample) != set(wanted):
            raise ModelError(f"sample {number} holds {_listed(sample)}; the model's inputs are "
                             f"{_listed(wanted)}")
        for name, array in sample.items():
            if array.shape != tuple(wanted[name]):
                raise ModelError(f"sample {number}: {name} is {_size(array.shape)}; the model "
                                 f"takes {_size(wanted[name])}")
            if not np.isfinite(array).all():
                raise ModelError(f"sample {number}: {name} holds numbers that are not finite")


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a single number"
