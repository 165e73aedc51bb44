"""The matrices of a pack that stay in a finer encoding, because they gain the most accuracy per
byte.

Each matrix is rounded alone and the program run. Matrices are ordered by how far the result moves,
per byte that the finer encoding costs. The first ones stay, as few as the gates need; a bisection
finds how many. Rounding errors are independent, so each further matrix lowers the error.
"""

from collections.abc import Mapping

import numpy as np

from ..graph.graph import Graph
from ..pack.targets import Linear
from ..programs.program import Program
from ..run.wasmtime import WasmProgram
from ..weights.encodings import ENCODINGS, round_trip
from .calibrate import correct_biases
from .verify import Expected, same_top1, worst_gate

# Share of the rounded elements that may stay; beyond it the finer encoding is taken for all. Chosen
# with decision 0009, not measured.
MAX_KEPT = 0.5


def keep_sensitive(graph: Graph, wasm: Program[Linear], encodings: Mapping[str, str],
                   ways: tuple[str, str], expected: Expected,
                   means: Mapping[str, np.ndarray]) -> dict[str, str] | None:
    """`encodings`, in which the fewest matrices go from the first of `ways` to the second (such as
    from int8 to f16) so that the gates hold.

    None if half of the weights is not enough.
    """
    usual, relief = ways
    probe = _Probe(graph, wasm, expected, means)
    names = [n for n, e in encodings.items()
             if e == usual and ENCODINGS[relief].admits(graph.constants[n])
             and not np.array_equal(round_trip(graph.constants[n], e), graph.constants[n])]
    order = sorted(names, key=lambda n: -probe.damage(n, usual) / graph.constants[n].size)
    sizes = np.cumsum([graph.constants[n].size for n in order])
    low, high = 0, int(np.searchsorted(sizes, MAX_KEPT * sizes[-1], "right")) if order else 0

    def kept(count: int) -> dict[str, str]:
        return {**encodings, **dict.fromkeys(order[:count], relief)}

    if not high or not probe.holds(kept(high)):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if probe.holds(kept(middle)) else (middle, high)
    return kept(high)


class _Probe:
    """The SIMD build, whose arithmetic is IEEE 754's alone, with changing weights."""

    def __init__(self, graph: Graph, wasm: Program[Linear], expected: Expected,
                 means: Mapping[str, np.ndarray]) -> None:
        self.graph, self.expected, self.means = graph, expected, means
        self.program = WasmProgram(wasm.files["simd128"][0], wasm.about, graph.constants)

    def damage(self, name: str, encoding: str) -> float:
        """The strain on the gates, at the first sample, with `name` alone in `encoding`."""
        changed = self._place({name: encoding})
        first = min(1, len(self.expected.inputs) - 1)
        wanted = self.expected.exact[first:][:1]
        gate, value = worst_gate([self._run(first)], wanted, self.expected.answer, first)
        self.program.place({n: self.graph.constants[n] for n in changed})
        return gate.strain(value)

    def holds(self, encodings: Mapping[str, str]) -> bool:
        self._place(encodings)
        got = [self._run(k) for k in range(len(self.expected.inputs))]
        wanted, answer = self.expected.exact, self.expected.answer
        gate, value = worst_gate(got, wanted, answer)
        return value >= gate.limit and same_top1(got, wanted, answer) is not False

    def _run(self, index: int) -> list[np.ndarray]:
        feeds = self.expected.inputs[index]
        return self.program.run([feeds[n] for n in self.graph.inputs])

    def _place(self, encodings: Mapping[str, str]) -> list[str]:
        """Places the tensors as `encodings` restore them, with their corrected biases; returns
        their names."""
        def restored(name: str) -> np.ndarray:
            array = self.graph.constants[name]
            return round_trip(array, encodings[name]) if name in encodings else array

        for name in encodings:
            self.program.place({name: restored(name)})
        biases = correct_biases(self.graph, restored, self.means)
        self.program.place(biases)
        return [*encodings, *biases]
