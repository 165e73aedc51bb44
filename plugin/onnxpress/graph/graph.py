"""The graph: a frozen value in which every shape and type is known.

Names are references, so a graph prints, hashes and compares as text. Nodes stand in the order in
which they run. Rank-4 image tensors are NHWC from the importer on; `ops/` says what each op means.
"""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np

from ..errors import PassError

Shape = tuple[int, ...]  # a length per axis

DTYPES = ("f32", "f16", "f64", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "bool")


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor's static facts. `dtype` is the ONNX type; targets compute every value as f32.
    `stored`: the encoding of a constant, where a target is told of it."""

    shape: Shape
    dtype: str = "f32"
    stored: str = ""


@dataclass(frozen=True, kw_only=True)
class Attrs:
    """What a node's operator is told beside its operands. `ops/` holds a subclass for each
    operator; `op` is the operator's name. A field with a default counts as not set while it
    equals that default."""

    op: ClassVar[str]

    @classmethod
    def of(cls, node: "Node") -> Self:
        """The attributes of `node`.

        Raises:
            TypeError: they are not of this class.
        """
        if not isinstance(node.attrs, cls):
            raise TypeError(f"{node.op} %{node.name} has no attributes of {cls.__name__}")
        return node.attrs

    def told(self) -> dict[str, Any]:
        """Name -> value of the fields that are set, by name."""
        values = {f.name: (getattr(self, f.name), f.default) for f in fields(self)}
        return {name: value for name, (value, default) in sorted(values.items())
                if default is MISSING or value != default}


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: `attrs` says which operator it is and how it works. Its name is its first
    output's."""

    attrs: Attrs
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def op(self) -> str:
        return self.attrs.op

    @property
    def name(self) -> str:
        return self.outputs[0]

    def with_attrs(self, **changes: Any) -> "Node":
        """The node with other values of these attributes."""
        return replace(self, attrs=replace(self.attrs, **changes))


@dataclass(frozen=True)
class Graph:
    """`values` covers every name, `constants` holds f32 arrays for the names known at build."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    values: Mapping[str, Value]
    constants: Mapping[str, np.ndarray]

    def shape(self, name: str) -> Shape:
        return self.values[name].shape

    def producers(self) -> dict[str, Node]:
        """Value name -> the node that computes it."""
        return {out: node for node in self.nodes for out in node.outputs}

    def consumers(self) -> dict[str, list[Node]]:
        """Value name -> the nodes that read it, once each, in order."""
        users: dict[str, list[Node]] = {name: [] for name in self.values}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                users[name].append(node)
        return users

    def rebuild(
        self,
        nodes: Iterable[Node],
        values: Mapping[str, Value] | None = None,
        constants: Mapping[str, np.ndarray] | None = None,
        outputs: tuple[str, ...] | None = None,
    ) -> "Graph":
        """The graph with other nodes, and without nodes, values and constants nobody reads."""
        outputs = self.outputs if outputs is None else outputs
        values = self.values if values is None else values
        constants = self.constants if constants is None else constants
        needed, kept = set(outputs), []
        for node in reversed(tuple(nodes)):
            if needed.intersection(node.outputs):
                kept.append(node)
                needed.update(node.inputs)
        needed.update(self.inputs)
        for node in kept:
            needed.update(node.outputs)
        return Graph(
            self.inputs,
            outputs,
            tuple(reversed(kept)),
            {k: v for k, v in values.items() if k in needed},
            {k: v for k, v in constants.items() if k in needed},
        )

    def __str__(self) -> str:
        """The text form: one line a node, shapes on every value."""

        def show(name: str) -> str:
            kind = "const " if name in self.constants else ""
            return f"%{name}: {kind}{self.values[name].dtype}{list(self.values[name].shape)}"

        lines = [f"input {show(n)}" for n in self.inputs]
        for node in self.nodes:
            attrs = " ".join(f"{k}={_short(v)}" for k, v in node.attrs.told().items())
            args = ", ".join(show(n) if n in self.constants else f"%{n}" for n in node.inputs)
            outs = ", ".join(show(n) for n in node.outputs)
            lines.append(f"{outs} = {node.op}({args})" + (f" {{{attrs}}}" if attrs else ""))
        return "\n".join([*lines, *(f"output %{n}" for n in self.outputs)])


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 160 else text[:157] + "..."


def check(graph: Graph, after: str = "import") -> Graph:
    """Returns `graph` unchanged.

    Raises:
        PassError: a name is read before it is made, made twice, has no facts, or a constant's
            shape differs from its facts.
    """
    known = set(graph.inputs) | set(graph.constants)
    for name, array in graph.constants.items():
        if tuple(array.shape) != graph.values[name].shape:
            raise PassError(f"after {after}: constant %{name} is {array.shape}, "
                            f"its facts say {graph.values[name].shape}")
    for node in graph.nodes:
        for name in node.inputs:
            if name not in known:
                raise PassError(f"after {after}: {node.op} %{node.name} reads %{name} "
                                "before it is made")
        for name in node.outputs:
            if name in known:
                raise PassError(f"after {after}: %{name} is made twice")
            if name not in graph.values:
                raise PassError(f"after {after}: %{name} has no shape")
            known.add(name)
    missing = [n for n in graph.outputs if n not in known]
    if missing:
        raise PassError(f"after {after}: output %{missing[0]} is never made")
    return graph
