"""The steps of a program in linear memory, before their tensors have addresses."""

from dataclasses import dataclass, replace
from math import prod

from ..emit.layout import ANY, Needs, Packing, Tensor, Want, dense_strides
from ..graph.graph import Graph, Node
from ..graph.storage import Storage
from ..ops.halo import FillHalo
from ..ops.move import Concat, Copy
from .joined import Channels, side_by_side
from .layouts import satisfies, tensor_of


@dataclass(frozen=True, slots=True)
class NamedStep:
    """A step whose operands are names of tensors in `Unplaced.tensors`."""

    node: Node
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    need: Needs


class Unplaced:
    """The steps in order, and their tensors.

    A tensor has the name of its value. A copy in another layout and a packed constant have the
    value's name, "@" and more. Each dict below has such names as keys, unless it says otherwise.

    `layouts`: the layout of each value and copy. `tensors`: each tensor, at base 0. `root`: the
    tensor in whose memory it lies, which is itself unless it is an alias or joined. `start`: the
    element of its root at which it begins. `joined`: a value -> its channels in a concatenation.
    `bordered`: the tensors whose halo has been set to zero. `packed`: (constant, packing) -> the
    tensor that holds it.
    """

    def __init__(self, graph: Graph, layouts: dict[str, Want], joined: dict[str, Channels]) -> None:
        self.graph, self.layouts, self.joined = graph, dict(layouts), joined
        for name in graph.constants:
            # A constant is dense. Its channels are aligned if their number is a multiple.
            shape = graph.shape(name)
            self.layouts[name] = Want(align=4 if shape and shape[-1] % 4 == 0 else 1)
        for name, layout in self.layouts.items():
            shape = graph.shape(name)
            if layout == ANY and len(shape) == 4 and shape[3] % 4 == 0:
                self.layouts[name] = Want(align=4)
        self.tensors = {
            n: tensor_of(n, v.shape, self.layouts[n])
            for n, v in graph.values.items()
            if n not in graph.constants
        }
        self.root = {n: n for n in self.tensors}
        self.start = dict.fromkeys(self.tensors, 0)
        for name, (whole, channel) in joined.items():
            self.root[name], self.start[name] = whole, channel
            self.tensors[name] = replace(self.tensors[whole], name=name, shape=graph.shape(name),
                                         whole=whole)
        self.bordered: set[str] = set()
        self.steps: list[NamedStep] = []
        self.packed: dict[tuple[str, Packing], str] = {}

    def alias(self, out: str, source: str, start: int) -> None:
        """The value `out` begins at element `start` of the value `source`; no step makes it."""
        if source in self.graph.constants:
            source = self.packed_constant(source, None)
        self.root[out] = self.root[source]
        self.start[out] = self.start[source] + start

    def add(self, node: Node, need: Needs) -> None:
        """Adds the step of `node`, and the copies that it needs before and after it."""
        if self._is_joined(node):
            return
        made = tuple(out if satisfies(self.layouts[out], need.output)
                     else self._new(f"{out}@out", self.graph.shape(out), need.output)
                     for out in node.outputs)
        inputs = []
        for i, name in enumerate(node.inputs):
            if name in self.graph.constants and i not in need.same:
                inputs.append(self.packed_constant(name, need.packings.get(i)))
            elif i in need.same:
                inputs.append(self._like(name, made[0], need.inputs.get(i, ANY).storage))
            else:
                inputs.append(self._twin(name, need.inputs.get(i, ANY)))
        self._emit(node, tuple(inputs), made, need)
        for own, out in zip(made, node.outputs, strict=True):
            if own != out:
                self._copy(own, out)

    def _is_joined(self, node: Node) -> bool:
        """Whether the operands of a concatenation are made in its place."""
        own = self.joined.get(node.name, (node.name, 0))
        return isinstance(node.attrs, Concat) and side_by_side(self.graph, node, self.joined) == own

    def packed_constant(self, name: str, packing: Packing | None) -> str:
        """The tensor that holds the constant `name` in `packing`; None stands for "raw"."""
        shape = self.graph.shape(name)
        packing = packing or Packing("raw", prod(shape))
        key = (name, packing)
        if key not in self.packed:
            own = f"{name}@{packing.kind}{len(self.packed)}"
            self.packed[key] = own
            self.tensors[own] = Tensor(own, shape, dense_strides(shape), 0, 0,
                                       packing.elements, packing=packing)
            self.root[own] = own
            self.start[own] = 0
        return self.packed[key]

    def _new(self, name: str, shape: tuple[int, ...], layout: Want) -> str:
        """A new tensor in memory of its own."""
        self.layouts[name] = layout
        self.tensors[name] = tensor_of(name, shape, layout)
        self.root[name] = name
        self.start[name] = 0
        return name

    def _twin(self, name: str, want: Want) -> str:
        """The value `name` in the layout `want`: itself, or a copy that all its readers share."""
        if satisfies(self.layouts[name], want):
            return name
        twin = (f"{name}@{want.align}{want.halo.mode[0]}{'_'.join(map(str, want.halo.extent))}"
                f"{want.storage.kind}")
        if twin not in self.tensors:
            self._new(twin, self.graph.shape(name), want)
            self._copy(name, twin)
        return twin

    def _like(self, name: str, out: str, storage: Storage) -> str:
        """`name` in `storage`, with exactly the strides of `out`."""
        source = self.packed_constant(name, None) if name in self.graph.constants else name
        have = self.tensors[source]
        if have.strides == self.tensors[out].strides and have.storage == storage:
            return source
        twin = f"{name}@like.{out}"
        if twin not in self.tensors:
            self._new(twin, self.graph.shape(name), replace(self.layouts[out], storage=storage))
            self._copy(source, twin)
        return twin

    def _copy(self, source: str, target: str) -> None:
        """Adds the step that copies one tensor into another."""
        self._emit(Node(Copy(), (source,), (target,)), (source,), (target,), Needs())

    def _emit(self, node: Node, inputs: tuple[str, ...], outputs: tuple[str, ...],
              need: Needs) -> None:
        """Adds the step, and the steps that fill the halos of its outputs. Zeros come before the
        first step that writes there, and the halo's own mode after each step."""
        for out in outputs:
            halo, whole = self.layouts[out].halo, self.root[out]
            if any(halo.extent) and whole not in self.bordered:
                self.bordered.add(whole)
                self._fill(whole, FillHalo(mode="zero", pads=halo.extent), whole)
        self.steps.append(NamedStep(node, inputs, outputs, need))
        for out in outputs:
            halo = self.layouts[out].halo
            if halo.mode != "zero" and any(halo.pads):
                self._fill(self.root[out], FillHalo(mode=halo.mode, pads=halo.pads), out)

    def _fill(self, name: str, how: FillHalo, out: str) -> None:
        """Adds the step that fills the halo of the tensor `out`, whose root is `name`."""
        self.steps.append(NamedStep(Node(how, (), (name,)), (), (out,), Needs()))
