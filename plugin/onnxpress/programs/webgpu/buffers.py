"""All buffers of a WebGPU program, and where each constant, table and value lies in them.

What a dispatch binds has one of four roles:

1. Loaded for runs: constants, parts of constants, and tables that kernels add. The page writes them
   once; every run reads them.
2. Loaded for setup: the same, but only setup dispatches read them. Their buffers are spent then.
3. Results of setup dispatches. They have buffers of their own, because WebGPU forbids one dispatch
   to read and write the same buffer.
4. Values of a run: inputs, outputs, results of steps, and scratch. They share buffers by lifetime.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from math import prod

from ...emit.wgsl.shader import Dispatch, Slice
from ...graph.graph import Graph
from .memory import Binding, lifetimes, padded, place_constants, place_values

Roots = Mapping[str, tuple[str, int]]  # value -> (the value in whose memory it lies, its element)


@dataclass(frozen=True, slots=True)
class Buffers:
    """`bindings`: constant, table or value -> where it lies. `sizes`: the bytes of each buffer.
    `spent`: the buffers that no run reads."""

    bindings: Mapping[str | Slice, Binding]
    sizes: Sequence[int]
    spent: Sequence[int]


def place(graph: Graph, roots: Roots, dispatches: Sequence[Dispatch], held: Set[str]) -> Buffers:
    """The buffers of `dispatches`. Values in `held` take two bytes per element, others four."""
    scratch = {name: elements for d in dispatches for name, elements in d.scratch.items()}

    def size(name: str) -> int:
        elements = scratch[name] if name in scratch else prod(graph.shape(name))
        return _width(name, held) * elements

    setup, runs = [d for d in dispatches if d.once], [d for d in dispatches if not d.once]
    outputs = [roots[name][0] for name in graph.outputs]
    loaded = _loaded(runs, graph, roots)
    loaded |= {name: padded(4 * graph.constants[name].size)
               for name in outputs if name in graph.constants}
    made = {name: padded(size(name)) for d in setup for name in d.writes}
    for_setup = [(v, n) for v, n in _loaded(setup, graph, roots).items() if v not in loaded]
    touches = [{name: size(name) for name in _bound(d, roots)
                if isinstance(name, str) and name not in loaded and name not in made}
               for d in runs]
    lives = lifetimes([(n, 4 * prod(graph.shape(n))) for n in graph.inputs], outputs, touches)

    bindings: dict[str | Slice, Binding] = {}
    sizes: list[int] = []
    spent: list[int] = []
    for constants in (loaded.items(), made.items(), for_setup):
        found, more = place_constants(constants, len(sizes))
        spent = [*range(len(sizes), len(sizes) + len(more))]  # the last ones are the setup's
        bindings |= found
        sizes += more
    found, more = place_values(lives, len(sizes))
    return Buffers(_with_aliases({**bindings, **found}, roots, held, graph), sizes + more, spent)


def _width(name: str, held: Set[str]) -> int:
    """Bytes of one element of a value."""
    return 2 if name in held else 4


def _bound(dispatch: Dispatch, roots: Roots) -> Iterator[str | Slice]:
    """What the dispatch binds, in order; a value stands for all values in its memory."""
    for value in (*dispatch.reads, *dispatch.writes):
        yield value if isinstance(value, Slice) else roots.get(value, (value, 0))[0]


def _loaded(dispatches: Sequence[Dispatch], graph: Graph, roots: Roots) -> dict[str | Slice, int]:
    """Constant, part of a constant, or table -> its bytes, for all that `dispatches` bind."""
    sizes: dict[str | Slice, int] = {}
    for d in dispatches:
        for value in _bound(d, roots):
            if isinstance(value, Slice):
                sizes[value] = padded(value.size)
            elif value in graph.constants:
                sizes[value] = padded(4 * graph.constants[value].size)
            elif value in d.tables:
                sizes[value] = padded(4 * len(d.tables[value]))
    return sizes


def _with_aliases(bindings: dict[str | Slice, Binding], roots: Roots, held: Set[str],
                  graph: Graph) -> dict[str | Slice, Binding]:
    """`bindings`, and the bindings of the values that lie in another value's memory."""
    aliases = {}
    for name, (root, start) in roots.items():
        if name != root and root in bindings:
            whole, width = bindings[root], _width(root, held)
            aliases[name] = Binding(whole.buffer, whole.offset + width * start,
                                    padded(width * prod(graph.shape(name))))
    return {**bindings, **aliases}
