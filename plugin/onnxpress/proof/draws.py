"""Random inputs of the proof and of the device check, drawn by the type and the use of each input.

Python and the browser draw the same numbers: runtime/model/golden.js repeats `draw`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..graph.expr import Expr
from ..graph.graph import Graph, Node
from ..manifest.manifest import Port
from ..ops import OPS
from ..ops.pointwise import Pointwise

Bounds = Sequence[tuple[float, float]]  # (smallest, largest value) of each input

# Where each draw begins. The golden ratio of 2^32 spreads them over the generator's period.
# Source: D. Knuth, "The Art of Computer Programming", vol. 3, section 6.4.
SEEDS = (1, *((0x9E3779B9 * i) % 2**32 for i in range(1, 6)))
# A float whose range nobody states is drawn around 0, then as a share of 1, then as wide as pixels.
# f16 and f32 hold squares of 256.
FLOATS = ((-1.0, 1.0), (0.0, 1.0), (-256.0, 256.0))
# An integer whose use nobody knows: its natural range, yet the product of two is exact in f32 (it
# stays below 2^24); then a mask of 0 and 1; then a few classes.
WIDE, MASK, FEW = 2048.0, (0.0, 2.0), (0.0, 8.0)
NATURAL = {"bool": MASK, "u8": (0.0, 256.0), "i8": (-128.0, 128.0),
           **dict.fromkeys(("i16", "i32", "i64"), (-WIDE, WIDE)),
           **dict.fromkeys(("u16", "u32", "u64"), (0.0, 2 * WIDE))}
# Divisors keep clear of 0.
DIVISORS = {"f": (0.5, 2.0), "i": (1.0, 128.0)}

BLOCK = 1 << 16  # numbers that are drawn at once; they fit the second cache
BITS = np.uint32(1) << np.arange(32, dtype=np.uint32)  # the single bits of a state


@dataclass(frozen=True, slots=True)
class Draw:
    """Random inputs of a model: where the generator begins, and the range of each input."""

    seed: int
    bounds: tuple[tuple[float, float], ...]


def proposals(graph: Graph, inputs: Sequence[Port], known: Mapping[str, tuple[float, float]],
              samples: Sequence[Mapping[str, np.ndarray]] = ()) -> list[Draw]:
    """Draws that suit `graph`, the most sensible one first; inputs without a known range differ in
    range between them. `known`: input -> its (smallest, largest) number, where a spec says so."""
    used = uses(graph)
    ranges = [_ranges(port, known.get(port.name), used.get(port.name),
                      [np.asarray(feeds[port.name]) for feeds in samples]) for port in inputs]
    ways = [tuple(one[way] for one in ranges) for way in range(len(FLOATS))]
    return [Draw(seed, ways[k % len(ways)]) for k, seed in enumerate(SEEDS)]


def _ranges(port: Port, known: tuple[float, float] | None, used: tuple[float, float] | None,
            samples: Sequence[np.ndarray]) -> list[tuple[float, float]]:
    """A range for each way to draw this input. What a spec says comes first, then what the graph
    does with the input, then what samples span, then the type."""
    if known or used:
        return [known or used or MASK] * len(FLOATS)
    if port.dtype in ("bool", "u8"):
        return [NATURAL[port.dtype]] * len(FLOATS)
    floats = port.dtype.startswith("f")
    if floats and len(port.shape) == 1 and all(_blends(array) for array in samples):
        blend = (0.0, 2.0 / max(port.shape[0], 1))
        return [blend] * len(FLOATS) if samples else [blend, *FLOATS[1:]]
    if samples and all(np.isfinite(array).all() for array in samples):
        low = min(float(array.min(initial=0)) for array in samples)
        high = max(float(array.max(initial=1)) for array in samples)
        return [(low, high) if floats else (np.floor(low), np.floor(high) + 1.0)] * len(FLOATS)
    return list(FLOATS) if floats else [NATURAL[port.dtype], MASK, FEW]


def _blends(array: np.ndarray) -> bool:
    """Whether these are weights of a blend, which add up to about 1."""
    return bool(array.size and array.min() >= 0 and array.max() <= 1)


def uses(graph: Graph) -> dict[str, tuple[float, float]]:
    """Graph input -> the (smallest, largest) number that its readers can use, where they say:
    indices lie on the axis that they index, and divisors are not 0."""
    makers = graph.producers()
    found: dict[str, tuple[float, float]] = {}
    for node in graph.nodes:
        for name, (low, high) in _wanted(node, graph):
            for source in _sources(name, makers, graph):
                before = found.get(source, (low, high))
                found[source] = (max(low, before[0]), min(high, before[1]))
    return found


def _wanted(node: Node, graph: Graph) -> Iterator[tuple[str, tuple[float, float]]]:
    """(operand, the range of numbers that it may hold)"""
    by_data, axis = OPS[node.op].reads_by_data, getattr(node.attrs, "axis", None)
    if by_data and isinstance(axis, int):
        length = graph.shape(node.inputs[by_data[0]])[axis]
        for k, name in enumerate(node.inputs):
            if k not in by_data and graph.values[name].dtype[0] in "iu":
                yield name, (0.0, float(length))
    if isinstance(node.attrs, Pointwise):
        for k in _divisors(node.attrs.expr):
            name = node.inputs[k]
            yield name, DIVISORS["f" if graph.values[name].dtype[0] == "f" else "i"]


def _divisors(expr: Expr) -> set[int]:
    """The inputs of an expression by which it divides."""
    seen, stack, found = {expr}, [expr], set()
    while stack:
        e = stack.pop()
        if e.op == "div" and e.args[1].op == "input":
            found.add(int(e.args[1].value))
        new = [a for a in e.args if a not in seen]
        seen.update(new)
        stack.extend(new)
    return found


def _sources(name: str, makers: Mapping[str, Node], graph: Graph) -> Iterator[str]:
    """The graph inputs whose numbers reach `name` as they are, or by arithmetic with constants."""
    while name not in graph.inputs:
        node = makers.get(name)
        if node is None:
            return
        op = OPS[node.op]
        live = [n for n in node.inputs if n not in graph.constants]
        if not (op.moves or op.kernel is None or isinstance(node.attrs, Pointwise)):
            return
        if len(live) != 1:
            return
        name = live[0]
    yield name


def draw(inputs: Sequence[Port], bounds: Bounds, seed: int = SEEDS[0]) -> dict[str, np.ndarray]:
    """Input name -> f32 array of random numbers, `low` included and `high` not; integer inputs are
    rounded down. One stream of numbers runs through all inputs.

    Source: xorshift32, G. Marsaglia, "Xorshift RNGs", 2003, with a=13, b=17, c=5.
    """
    stream, feeds = _Stream(seed), {}
    for port, (low, high) in zip(inputs, bounds, strict=True):
        values = np.empty(int(np.prod(port.shape, dtype=np.int64)), np.float32)
        for start in range(0, len(values), BLOCK):
            part = values[start : start + BLOCK]
            numbers = low + (stream.next(len(part)) >> 8) / 2**24 * (high - low)
            part[:] = numbers if port.dtype.startswith("f") else np.floor(numbers)
        feeds[port.name] = values.reshape(port.shape)
    return feeds


class _Stream:
    """The generator's numbers as u32 arrays.

    A step is linear in the bits of the state, so k steps are one 32x32 matrix over GF(2). It is
    applied to many states at once, a byte of the state at a time. Source: F. Panneton and
    P. L'Ecuyer, "On the xorshift random number generators", 2005, section 2.
    """

    def __init__(self, seed: int) -> None:
        self.block = _step(np.array([seed or 1], np.uint32))
        self.jump = _table(_step(BITS))
        while len(self.block) < BLOCK:
            self.block = np.concatenate((self.block, _apply(self.jump, self.block)))
            self.jump = _table(_apply(self.jump, _apply(self.jump, BITS)))
        self.at = 0

    def next(self, count: int) -> np.ndarray:
        """The next `count` numbers, at most BLOCK."""
        kept = self.block[self.at : self.at + count]
        self.at += len(kept)
        if len(kept) == count:
            return kept
        self.block, self.at = _apply(self.jump, self.block), count - len(kept)
        return np.concatenate((kept, self.block[: self.at]))


def _step(states: np.ndarray) -> np.ndarray:
    states = states ^ (states << np.uint32(13))
    states = states ^ (states >> np.uint32(17))
    return states ^ (states << np.uint32(5))


def _table(columns: np.ndarray) -> np.ndarray:
    """u32[4, 256]: what each value of each byte of a state becomes; `columns` are the images of the
    32 single bits."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    return np.stack([np.bitwise_xor.reduce(np.where(bits, columns[8 * k : 8 * k + 8], 0), axis=1)
                     for k in range(4)]).astype(np.uint32)


def _apply(table: np.ndarray, states: np.ndarray) -> np.ndarray:
    parts = states.astype("<u4").view(np.uint8).reshape(-1, 4)
    return table[0, parts[:, 0]] ^ table[1, parts[:, 1]] ^ table[2, parts[:, 2]] \
        ^ table[3, parts[:, 3]]
