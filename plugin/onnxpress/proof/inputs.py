"""The random inputs of a proof: which of the proposed draws tell something about a model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..manifest.manifest import Port
from .draws import FLOATS, Draw, draw
from .golden import golden, silent

# Operations of all further draws together; they add some seconds to a build. A further draw with
# other ranges is always tried, for it shows how large values become.
WORK = 2e9

Arrays = Mapping[str, np.ndarray]
Outputs = Sequence[np.ndarray]


@dataclass(frozen=True)
class Chosen:
    """`first` is the draw of the device check, with its inputs `feeds`. `further` are other random
    inputs on which the proof runs. `silent`: the numbers of the outputs for which a constant would
    pass the device check. `ran`: whether any draw could be run."""

    first: Draw
    feeds: Arrays
    further: Sequence[Arrays]
    silent: Sequence[int]
    ran: bool = True


@dataclass(frozen=True)
class _Run:
    draw: Draw
    feeds: Arrays
    outputs: Outputs

    @property
    def finite(self) -> bool:
        return all(np.isfinite(output).all() for output in self.outputs)


def choose_draws(proposed: Sequence[Draw], inputs: Sequence[Port], work: int,
                 run: Callable[[Arrays], Outputs | None], *, metric: Literal["peak", "l2"],
                 tolerance: float) -> Chosen:
    """The first draw for which each output varies so much that no constant would pass the device
    check within `tolerance`, or else the draw with the most such outputs. Draws with finite outputs
    come before all others.

    `run(feeds)` gives the model's outputs, or None where these inputs cannot be run. `work`: the
    operations of one run.
    """
    runs: list[_Run] = []
    for k, one in enumerate(proposed):
        feeds = draw(inputs, one.bounds, one.seed)
        outputs = run(feeds)
        if outputs is not None:
            runs.append(_Run(one, feeds, outputs))
        if k + 1 >= len(FLOATS) and any(r.finite and not _silent(r, runs, metric, tolerance)
                                        for r in runs):
            break
    if not runs:
        first = proposed[0]
        return Chosen(first, draw(inputs, first.bounds, first.seed), [], [], ran=False)
    fit = [r for r in runs if r.finite] or runs
    mute = [_silent(r, runs, metric, tolerance) for r in fit]
    best = min(range(len(fit)), key=lambda k: len(mute[k]))
    others = [r for k, r in enumerate(fit) if k != best]
    wide = [r for r in others if r.draw.bounds != fit[best].draw.bounds]
    count = min(len(FLOATS) - 1, max(min(len(wide), 1), int(WORK // max(work, 1))))
    # The widest ranges first: they show the largest values.
    order = sorted(others, key=lambda r: -sum(high - low for low, high in r.draw.bounds))
    return Chosen(fit[best].draw, fit[best].feeds, [r.feeds for r in order[:count]], mute[best])


def _silent(one: _Run, runs: Sequence[_Run], metric: Literal["peak", "l2"], tolerance: float
            ) -> list[int]:
    kept = golden(one.draw, one.outputs, metric=metric, tolerance=tolerance)
    return silent(kept, [r.outputs for r in runs if r is not one])
