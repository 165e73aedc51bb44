"""What a pack is compared with: the yardstick's results, the graph's own in float64, and limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ProofError
from ..graph.graph import Graph
from ..graph.notes import AddNote
from ..manifest.manifest import Port
from ..pack.proof import Golden
from ..tasks.base import Answer
from .draws import Draw, proposals
from .golden import MARGIN, QUANTIZED_FLOOR, golden
from .inputs import Arrays, Chosen, Outputs, choose_draws
from .limits import (
    ROOM,
    SMALLEST,
    SMALLEST_F16,
    UNIT,
    beyond,
    chain,
    ends_about_one,
    has_functions,
    limit,
    rounded,
    rounds,
)
from .trace import Trace, trace
from .verify import (
    QUANTIZED_L2,
    TOLERANCE,
    Expected,
    Proof,
    at_least,
    device_tolerance,
    peak_of,
    relative_l2,
)
from .yardstick import Yardstick, yardsticks

# Operations of all runs with rounding noise together; they add some seconds to a build. An element
# of a value takes numpy as long as PER_ELEMENT operations of a matrix product.
NOISE_WORK, MOST_NOISE, PER_ELEMENT = 4e9, 4, 100
# Operations that the JavaScript program runs at a build: V8 does about 1e9 in a second.
JS_WORK = 4e9
# A quantized net may move onnxruntime's own result further than its limit when the input moves by
# NOISE. Then that distance is the scale: two results that are each so far from the truth are
# sqrt(2) times as far apart, and the distance is itself an estimate from DRAWS draws. Source:
# decision 0006.
NOISE, DRAWS, APART = 1e-7, 4, 1.5


@dataclass(frozen=True)
class Question:
    """A model and what is known about its inputs. `arrays`: weights that `model` names and does not
    hold. `graph`: what it was lowered to, with `flops` operations. `known`: input -> (smallest,
    largest) number. `samples`: inputs that a person chose."""

    model: Any
    arrays: Arrays
    graph: Graph
    flops: int
    ports: Sequence[Port]
    known: Mapping[str, tuple[float, float]]
    samples: Sequence[Arrays]
    answer: Answer

    @property
    def work(self) -> int:
        """Of one run of the graph in float64, in operations of a matrix product."""
        made = [name for node in self.graph.nodes for name in node.outputs]
        elements = sum(int(np.prod(self.graph.shape(n))) for n in (*self.graph.inputs, *made))
        return self.flops + PER_ELEMENT * elements

    @property
    def quantized(self) -> bool:
        return any(n.op_type == "QuantizeLinear" for n in self.model.graph.node)


@dataclass(frozen=True)
class Measured:
    """What a pack is compared with; `draw` is the random input of the device check."""

    expected: Expected
    trace: Trace
    draw: Draw

    def golden(self, proof: Proof) -> Golden:
        """The outputs of the published program, so that the error of an encoding costs no
        tolerance."""
        if self.expected.quantized:
            return golden(self.draw, proof.first, metric="l2", tolerance=QUANTIZED_FLOOR)
        return golden(self.draw, proof.first, metric="peak",
                      tolerance=MARGIN * self.expected.tolerance)


def measure(asked: Question, note: AddNote) -> Measured:
    """The results of a model on random inputs and on the samples.

    Raises:
        ProofError: the yardstick cannot run a sample.
    """
    yardstick, chosen = _choose(asked)
    if yardstick.name != "onnxruntime":
        note("proof", SAID[yardstick.name])
    for k in chosen.silent:
        note("golden", f'the output "{asked.graph.outputs[k]}" hardly varies on any random input '
                       "that was tried, so the check on a device would pass a constant there")
    inputs = [chosen.feeds, *asked.samples]
    seen = trace(asked.graph, inputs, chosen.further)
    every = [*inputs, *chosen.further]
    wanted = [*map(yardstick.run, inputs), *map(yardstick.run, chosen.further)]
    exact = [_shaped(e, w) for e, w in zip([*seen.outputs, *seen.further], wanted, strict=True)]
    if asked.quantized:
        limits, moves = [], []
        moved = max(_movement(yardstick, *pair) for pair in zip(inputs, wanted, strict=False))
        tolerance = at_least(APART * moved, QUANTIZED_L2)
    else:
        limits = _limits(asked, every, exact, wanted)
        moves = _moves(asked, every, exact, wanted, limits, yardstick)
        for each in (limits, moves):
            _free_beyond(asked.graph, exact, each)
        tolerance = device_tolerance(exact[: len(inputs)], wanted[: len(inputs)])
    count = len(inputs)
    return Measured(Expected(
        inputs, wanted[:count], exact[:count], chosen.further, wanted[count:], exact[count:],
        limits, moves, asked.quantized, tolerance, asked.answer, asked.graph.outputs,
        yardstick.name, int(JS_WORK // max(asked.flops, 1))), seen, chosen.first)


SAID = {"onnx.reference": "onnxruntime cannot run this model; ONNX's own reference implementation "
                          "is the yardstick",
        "graph": "onnxruntime cannot run this model, and ONNX's own reference implementation is "
                 "wrong or too slow for it; its graph in float64 is the only yardstick"}


def _choose(asked: Question) -> tuple[Yardstick, Chosen]:
    """The first yardstick that can run some random input, and the inputs."""
    proposed = proposals(asked.graph, asked.ports, asked.known, asked.samples)
    metric, tolerance = (("l2", QUANTIZED_FLOOR) if asked.quantized
                         else ("peak", MARGIN * TOLERANCE))
    for yardstick in yardsticks(asked.model, asked.arrays, asked.graph, asked.flops):
        def run(feeds: Arrays, ask: Yardstick = yardstick) -> Outputs | None:
            try:
                return ask.run(feeds)
            except ProofError:
                return None

        chosen = choose_draws(proposed, asked.ports, asked.work, run, metric=metric,
                              tolerance=tolerance)
        if chosen.ran:
            return yardstick, chosen
    raise AssertionError("the last yardstick always runs")


def _shaped(exact: Outputs, wanted: Outputs) -> list[np.ndarray]:
    """`exact` in the model's own shapes."""
    return [np.reshape(e, np.shape(w)) for e, w in zip(exact, wanted, strict=True)]


def _movement(yardstick: Yardstick, feeds: Arrays, wanted: Outputs) -> float:
    """How far, in relative L2, the yardstick's result moves with noise of 1e-7 on its input."""
    random = np.random.default_rng(0)

    def noisy(array: np.ndarray) -> np.ndarray:
        noise = NOISE * random.standard_normal(np.shape(array))
        return np.asarray(array + noise) if _fraction(array) else array

    moved = [yardstick.run({name: noisy(array) for name, array in feeds.items()})
             for _ in range(DRAWS)]
    return max(relative_l2(np.asarray(g, np.float64), np.asarray(w, np.float64))
               for gs in moved for g, w in zip(gs, wanted, strict=True))


def _fraction(array: np.ndarray) -> bool:
    """Whether some element is no whole number: then the input is no tensor of integers."""
    return bool((array != np.floor(array)).any())


def _limits(asked: Question, inputs: Sequence[Arrays], exact: Sequence[Outputs],
            wanted: Sequence[Outputs]) -> list[list[np.ndarray]]:
    """For each input and output: how far each element of a build in f32 may be from `exact`. Of a
    large net only random inputs run with noise; samples are held to a share of the peak."""
    share = chain(asked.graph)
    runs = min(int(NOISE_WORK // (asked.work * len(inputs))), MOST_NOISE)
    found = []
    for k, (feeds, es, ws) in enumerate(zip(inputs, exact, wanted, strict=True)):
        if not runs and 1 <= k <= len(asked.samples):
            found.append(_of_peak(es, device_tolerance([es], [ws])))
            continue
        noisy = [rounded(asked.graph, feeds, seed) for seed in range(max(runs, 1))]
        found.append([limit(e, [m[i] for m in noisy], share) for i, e in enumerate(es)])
    return found


def _free_beyond(graph: Graph, exact: Sequence[Outputs], limits: Sequence[Outputs]) -> None:
    """Elements beyond their integer type get no limit."""
    for es, ls in zip(exact, limits, strict=True):
        for name, e, kept in zip(graph.outputs, es, ls, strict=True):
            kept[beyond(e, graph.values[name].dtype)] = np.inf


def _of_peak(outputs: Outputs, tolerance: float) -> list[np.ndarray]:
    return [np.full(o.size, tolerance * peak_of(o)) for o in outputs]


def _moves(asked: Question, inputs: Sequence[Arrays], exact: Sequence[Outputs],
           wanted: Sequence[Outputs], limits: Sequence[Outputs], yardstick: Yardstick
           ) -> list[list[np.ndarray]]:
    """For each input and output: how far each element of the yardstick may be from `exact`. It is
    what a build in f32 may be off, and more where the yardstick itself moves or rounds to f16."""
    if yardstick.name == "graph":
        return [list(ls) for ls in limits]
    halves = any(value.dtype == "f16" for value in asked.graph.values.values())
    share = chain(asked.graph, half=True) if halves else UNIT
    least = SMALLEST_F16 if halves else SMALLEST
    other = halves or (has_functions(asked.graph) and asked.work * len(inputs) <= NOISE_WORK)
    # A fraction beside a whole number becomes this number in one library, the next in another.
    whole = rounds(asked.graph)
    leasts = [1.0 if whole and asked.graph.values[n].dtype[0] in "iu"
              else max(least, ROOM * UNIT) if ends_about_one(asked.graph, n) else least
              for n in asked.graph.outputs]
    found = []
    for feeds, es, ws, own in zip(inputs, exact, wanted, limits, strict=True):
        moved = [rounded(asked.graph, feeds, 0, library=True)] if other else []
        again = yardstick.again(feeds)
        with np.errstate(invalid="ignore"):
            others = [[m[k] for m in moved] + ([] if again is None else [np.ravel(e) + (
                np.ravel(again[k]).astype(np.float64) - np.ravel(w))])
                for k, (e, w) in enumerate(zip(es, ws, strict=True))]
        found.append([np.maximum(known, limit(e, moves, share, least=most))
                      for e, moves, known, most in zip(es, others, own, leasts, strict=True)])
    return found
