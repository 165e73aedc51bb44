"""A graph being rewritten: a pass walks the old nodes in order and adds the new ones here."""

from collections import Counter
from dataclasses import replace

import numpy as np

from ..graph.graph import Attrs, Graph, Node, Shape, Value
from ..ops.move import Reshape


class Draft:
    """The new graph so far.

    A pass that fuses a node into its producer adds the fused node under the consumer's name. The
    producer stays; `finish` drops every node whose results nobody reads. A name means the same
    value in both graphs, so `uses`, counted in the old graph, stays valid.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.values = dict(graph.values)
        self.constants = dict(graph.constants)
        self.nodes: list[Node] = []
        self.makers: dict[str, Node] = {}
        self.uses = Counter(name for node in graph.nodes for name in dict.fromkeys(node.inputs))
        self.uses.update(graph.outputs)
        self._renamed: dict[str, str] = {}

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a value of the new graph."""
        return self.values[name].shape

    def now(self, name: str) -> str:
        """The new name of the old value `name`."""
        return self._renamed.get(name, name)

    def inputs(self, node: Node) -> tuple[str, ...]:
        """The new names of the operands of `node`."""
        return tuple(map(self.now, node.inputs))

    def replace(self, old: str, new: str) -> None:
        """Readers of `old` read `new` from here on. A graph output keeps its name, as a reshape."""
        if old in self.graph.outputs:
            self.add(Reshape(), (new,), self.shape(old), old)
        else:
            self._renamed[old] = new

    def fresh(self, stem: str) -> str:
        """A name that no value has yet, derived from `stem`."""
        name, i = stem, 0
        while name in self.values:
            i += 1
            name = f"{stem}.{i}"
        return name

    def constant(self, stem: str, array: np.ndarray) -> str:
        """The name of a new constant; `array` is stored as f32."""
        name = self.fresh(stem)
        self.constants[name] = np.array(array, np.float32, order="C")
        self.values[name] = Value(self.constants[name].shape)
        return name

    def add(self, attrs: Attrs, inputs: tuple[str, ...], shape: tuple[int, ...], name: str,
            like: str | None = None) -> str:
        """Adds a node with the one output `name`, and returns `name`. The output's ONNX type is
        the type of `like`, or else of the old value `name`."""
        self.state(name, shape, like or name)
        self.keep(Node(attrs, inputs, (name,)))
        return name

    def state(self, name: str, shape: Shape, like: str) -> None:
        """States the facts of a new value: its shape, and the ONNX type of the old value `like`."""
        old = self.values.get(like)
        self.values[name] = Value(tuple(shape), old.dtype if old else "f32")

    def keep(self, node: Node) -> None:
        """Adds `node`, with the new names of its operands."""
        node = replace(node, inputs=self.inputs(node))
        self.nodes.append(node)
        self.makers.update(dict.fromkeys(node.outputs, node))

    def sole(self, name: str, kind: type[Attrs] | tuple[type[Attrs], ...]) -> Node | None:
        """The node that makes `name`; None unless it has attributes of `kind` and one reader."""
        maker = self.makers.get(name)
        if maker is None or self.uses[name] != 1:
            return None
        return maker if isinstance(maker.attrs, kind) else None

    def finish(self) -> Graph:
        """The new graph, without the nodes, values and constants that nobody reads."""
        return self.graph.rebuild(self.nodes, self.values, self.constants)
