"""Moves every transpose down the graph until it meets its inverse, an output or an obstacle.

The pass walks the nodes once. It knows each old value as transpose(stored, perm), and adds that
transpose only where an operator needs the value's own axis order. Such a transpose is pending.

1. A transpose is composed with the pending one; no node is added.
2. Operators whose attributes can follow (`Op.follows`: pointwise, concat, normalize, softmax, ...)
   run in the stored order of their operands, with their axes renamed.
3. Where the operands' orders differ, the order that moves the fewest elements is taken. Constants
   are transposed here.
4. A reshape that splits or merges neighbouring axes runs in the stored order, group by group
   (channel shuffle, [N,C,H,W] -> [N,C,H*W]). Axes of a group that are apart in memory are first
   brought together; the innermost axis stays innermost.
5. For a reshape [N,C,H,W] -> [N,C*H*W] that only matmuls with constant weights read, the rows of
   the weights are permuted instead of the data.
6. A transpose that moves only axes of length 1 is a reshape.
7. Any other operator, and a graph output, gets the pending transpose, once for each order.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np

from ..graph.graph import Graph, Node
from ..ops import OPS, follow
from ..ops.layouts import Perm, unpermute
from ..ops.matmul import MatMul
from ..ops.move import Reshape, Transpose
from .axes import between, identity, is_view, permute, regroup
from .draft import Draft


def sink_transposes(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    sink = _Sink(graph)
    for node in graph.nodes:
        if isinstance(node.attrs, Transpose):
            name, perm = sink.pending[node.inputs[0]]
            sink.pending[node.name] = name, permute(perm, node.attrs.perm)
        elif isinstance(node.attrs, Reshape):
            sink.reshape(node)
        elif OPS[node.op].follows is not None:
            sink.run_in(sink.cheapest(node), node)
        else:
            sink.run_as_is(node)
    return sink.finish()


class _Sink:
    """The walk so far.

    `pending[v]` = (stored, perm): the old value v is transpose(stored, perm). `made` maps (stored,
    perm, rank) to the transpose that exists. `rows[v]`: the order of the rows of weights that
    multiply v (case 5).
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.draft = Draft(graph)
        self.readers = graph.consumers()
        self.pending = {n: (n, identity(len(v.shape))) for n, v in graph.values.items()}
        self.made: dict[tuple[str, Perm, int], str] = {}
        self.rows: dict[str, np.ndarray] = {}

    # --- operands ---

    def lifted(self, value: str, rank: int) -> tuple[str, Perm]:
        """`pending[value]`, with leading axes of length 1 added up to `rank`."""
        name, perm = self.pending[value]
        extra = rank - len(perm)
        return name, identity(extra) + tuple(p + extra for p in perm)

    def is_free(self, value: str, perm: Perm) -> bool:
        """Whether `stored(value, perm)` moves no elements at run time."""
        name, have = self.lifted(value, len(perm))
        step = between(have, perm)
        shape = self.draft.shape(name)
        lifted = (1,) * (len(perm) - len(shape)) + shape
        return (name in self.graph.constants or (name, step, len(perm)) in self.made
                or is_view(lifted, step))

    def stored(self, value: str, perm: Perm) -> str:
        """A name whose transpose by `perm` is the value; adds the nodes that make it."""
        name, have = self.lifted(value, len(perm))
        step = between(have, perm)
        shape = self.draft.shape(name)
        if step == identity(len(perm)) or prod(shape) == 1:
            return name
        key = (name, step, len(perm))
        if key not in self.made:
            self.made[key] = self._moved(name, step, self.draft.fresh(f"{name}.moved"))
        return self.made[key]

    def _moved(self, name: str, step: Perm, out: str) -> str:
        """The name of transpose(name, step): a new constant, or the new value `out`."""
        shape = self.draft.shape(name)
        lifted = (1,) * (len(step) - len(shape)) + shape
        if name in self.draft.constants:
            array = self.draft.constants[name].reshape(lifted).transpose(step)
            return self.draft.constant(f"{name}.moved", array)
        if is_view(lifted, step):
            return self.draft.add(Reshape(), (name,), permute(lifted, step), out)
        if lifted != shape:
            name = self.draft.add(Reshape(), (name,), lifted, self.draft.fresh(f"{name}.lifted"))
        return self.draft.add(Transpose(perm=step), (name,), permute(lifted, step), out)

    def cheapest(self, node: Node) -> Perm:
        """The stored order of one operand for which the fewest elements of the others move.

        Of equal ones a transposed order is preferred, since its transpose can meet its inverse.
        """
        rank = len(self.graph.shape(node.name))
        moving = [n for n in node.inputs if n not in self.graph.constants]
        orders = [self.lifted(n, rank)[1] for n in moving]
        orders.sort(key=lambda perm: perm == identity(rank))
        return min(dict.fromkeys(orders) or [identity(rank)], key=lambda perm: sum(
            prod(self.graph.shape(n)) for n in moving if not self.is_free(n, perm)))

    # --- nodes ---

    def emit(self, node: Node, inputs: tuple[str, ...], perm: Perm) -> None:
        """Adds `node`, whose outputs are stored in `perm` order. The name of a graph output is
        kept for the value in its own order."""
        names = []
        for value in node.outputs:
            waits = value in self.graph.outputs and perm != identity(len(perm))
            name = self.draft.fresh(f"{value}.stored") if waits else value
            self.draft.state(name, unpermute(self.graph.shape(value), perm), like=value)
            self.pending[value] = name, perm
            names.append(name)
        self.draft.keep(Node(node.attrs, inputs, tuple(names)))

    def run_as_is(self, node: Node) -> None:
        """Case 7, and the matmuls of case 5."""
        inputs = [self.stored(n, identity(len(self.graph.shape(n)))) for n in node.inputs]
        if isinstance(node.attrs, MatMul) and node.inputs[0] in self.rows:
            weights = self.draft.constants[inputs[1]]
            rows = self.rows[node.inputs[0]]
            inputs[1] = self.draft.constant(f"{inputs[1]}.rows", weights[..., rows, :])
        self.draft.keep(replace(node, inputs=tuple(inputs)))

    def run_in(self, perm: Perm, node: Node) -> None:
        """Cases 2 and 3: adds the node with every axis `a` renamed to perm[a]."""
        inputs = tuple(self.stored(n, perm) for n in node.inputs)
        self.emit(replace(node, attrs=follow(node.attrs, perm)), inputs, perm)

    def reshape(self, node: Node) -> None:
        """Cases 4 and 5."""
        value, (_, perm) = node.inputs[0], self.pending[node.inputs[0]]
        before, after = self.graph.shape(value), self.graph.shape(node.name)
        groups = sorted(regroup(before, after), key=lambda g: max(perm[a] for a in g[0]))
        if self._flatten_into_rows(node, groups):
            return
        order = [a for ins, _ in groups for a in ins]
        if order == sorted(order, key=lambda a: perm[a]):
            name = self.pending[value][0]
        else:
            units = [a for a, n in enumerate(before) if n == 1]
            name = self.stored(value, unpermute(identity(len(before)), tuple(units + order)))
        grouped = {a for _, outs in groups for a in outs}
        axes = tuple(a for a in range(len(after)) if a not in grouped)
        axes += tuple(a for _, outs in groups for a in outs)
        self.emit(node, (name,), unpermute(identity(len(after)), axes))

    def _flatten_into_rows(self, node: Node, groups: list[tuple[Perm, Perm]]) -> bool:
        """Case 5: whether the weights behind this reshape can be permuted; if so, adds it."""
        value, out = node.inputs[0], node.name
        name, perm = self.pending[value]
        after = self.graph.shape(out)
        if not groups or name in self.graph.constants or out in self.graph.outputs:
            return False
        ins, outs = groups[-1]
        stored = sorted(ins, key=lambda a: perm[a])
        order = [a for axes, _ in groups[:-1] for a in axes]
        if (
            outs != (len(after) - 1,)
            or tuple(stored) == ins
            or sorted([*order, *stored], key=lambda a: perm[a]) != [*order, *stored]
            or [*order, *ins] != sorted([*order, *ins])
            or not all(isinstance(r.attrs, MatMul) and r.inputs[0] == out and r.inputs[1] != out
                       and r.inputs[1] in self.graph.constants for r in self.readers[out])
        ):
            return False
        extents = [self.graph.shape(value)[a] for a in ins]
        index = np.arange(prod(extents)).reshape(extents)
        self.rows[out] = index.transpose([ins.index(a) for a in stored]).ravel()
        self.emit(node, (name,), identity(len(after)))
        return True

    def finish(self) -> Graph:
        """The new graph, whose outputs are in their own order."""
        for value in self.graph.outputs:
            name, perm = self.pending[value]
            key = name, perm, len(perm)
            if name == value:
                continue
            if key in self.made or name in self.graph.constants or perm == identity(len(perm)):
                name = self.stored(value, identity(len(perm)))
                self.draft.add(Reshape(), (name,), self.graph.shape(value), value)
            else:
                self.made[key] = self._moved(name, perm, value)
        return self.draft.finish()
