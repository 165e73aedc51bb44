"""`onnxpress bench --batch`: samples per second in batches of several sizes."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...errors import UnsupportedError
from ..arguments import open_model
from ..output import say, table
from . import command as bench
from .report import Facts, write_json


@dataclass(frozen=True)
class BatchTimes:
    """A run's times in ms, from array to array. `outside_ms`: the fastest run's time minus the sum
    of the steps."""

    batch: int
    median_ms: float
    min_ms: float
    per_second: float
    outside_ms: float


def run(options: argparse.Namespace) -> None:
    bench.require(options)
    model, shapes = open_model(options)
    rows, facts = [], {}
    for batch in options.batch:
        facts = bench.measure(model, {**shapes, **_shapes(model, shapes, batch)}, options)
        rows.append(_row(batch, facts))
    about = {key: facts[key] for key in ("target", "build", "engine", "reason")}
    if write_json({"model": options.model.name, **about, "batches": [asdict(r) for r in rows]},
                  options):
        return
    table(["batch", "median ms", "min ms", "samples/s", "outside of steps, ms"],
          [_texts(row) for row in rows])
    say(f"Samples per second at the median of {facts['run']['count']}. {about['engine']}, build "
        f"{about['build']}. {about['reason']}")


def _shapes(model: Any, shapes: Mapping[str, Sequence[int]], batch: int
            ) -> dict[str, tuple[int, ...]]:
    """Input -> its shape with `batch` samples.

    An input with another free dimension, which `shapes` does not fix, is left out; the importer
    names it in its error.
    """
    weights, found = {w.name for w in model.graph.initializer}, {}
    for port in (i for i in model.graph.input if i.name not in weights):
        dims = [d.dim_value for d in port.type.tensor_type.shape.dim]
        if not dims or dims[0]:
            raise UnsupportedError("bench --batch needs a model whose inputs begin with a free "
                                   f"dimension; {port.name} does not")
        dims[1:] = shapes.get(port.name, dims)[1:]
        if all(dims[1:]):
            found[port.name] = (batch, *dims[1:])
    return found


def _row(batch: int, facts: Facts) -> BatchTimes:
    median, least = facts["run"]["median_ms"], facts["run"]["min_ms"]
    steps = sum(step["ms"] for step in facts["steps"])
    return BatchTimes(batch, median, least, 1e3 * batch / median, least - steps)


def _texts(row: BatchTimes) -> list[str]:
    return [str(row.batch), f"{row.median_ms:.2f}", f"{row.min_ms:.2f}", f"{row.per_second:.1f}",
            f"{row.outside_ms:.2f}"]
