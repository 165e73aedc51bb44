"""Graph -> LinearPlan: every step, address and stride of a program in linear memory (wasm, js).

A rank-4 NHWC value gets the halo and the channel alignment that its readers want, so no kernel
tests bounds. Some values must stay dense: model inputs and outputs, and reshapes. A copy step makes
a second tensor with a halo of such a value. programs/joined.py places operands of a concatenation
directly in the joined tensor. Buffers share one arena by lifetime.
"""

from collections.abc import Iterable
from dataclasses import replace
from math import prod

from ..emit.layout import (
    ALIGN,
    ANY,
    SLACK,
    Halo,
    LinearPlan,
    Needs,
    Packing,
    Step,
    Tensor,
    Want,
    Weight,
    dense_strides,
    round_up,
)
from ..graph.graph import Graph, Node
from ..graph.storage import ELEMENT_BYTES, F32, Storage
from ..kernels import linear_kernel
from ..ops import alias_start
from ..ops.halo import FillHalo
from ..ops.move import Concat, Copy, Slice
from ..weights.encodings import most_scales
from .joined import Place, place_joined, side_by_side


def plan_linear(graph: Graph, target: str) -> LinearPlan:
    """The plan of `graph` for "wasm" or "js".

    Raises:
        PlanError: an operator has no kernel on `target`.
    """
    needs = {out: need for node in graph.nodes if _alias_start(node, graph) is None
             for need in [linear_kernel(node, target).needs(node, graph)] for out in node.outputs}
    layouts, places = _choose_layouts(graph, needs)
    draft = _Draft(graph, layouts, places)
    for node in graph.nodes:
        start = _alias_start(node, graph)
        if start is not None:
            draft.alias(node.name, node.inputs[0], start)
        else:
            draft.add(node, needs[node.name])
    return draft.finish(target)


def _alias_start(node: Node, graph: Graph) -> int | None:
    """The element of its input's memory at which the output begins, or None.

    A node with such a start is no step. Images are left out, so that they may have halos.
    """
    out = graph.shape(node.name)
    if isinstance(node.attrs, Slice) and len(out) == 4:
        return None
    return alias_start(node, graph.shape(node.inputs[0]), out) if node.inputs else None


# --- layouts -------------------------------------------------------------------------------------


def _choose_layouts(graph: Graph, needs: dict[str, Needs]
                    ) -> tuple[dict[str, Want], dict[str, Place]]:
    """(value name -> the layout that its maker gives it, places of concatenations' operands).

    Operands of a concatenation, and residuals, share one layout with their output.
    """
    wants: dict[str, list[Want]] = {name: [] for name in graph.values}
    pinned = {*graph.inputs, *graph.outputs, *graph.constants}
    group = {name: name for name in graph.values}
    made: dict[str, Storage] = {}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for node in graph.nodes:
        if _alias_start(node, graph) is not None:
            pinned.update((*node.inputs, *node.outputs))
            continue
        need = needs[node.name]
        if not need.strided:
            pinned.update((*node.inputs, *node.outputs))
        for i, name in enumerate(node.inputs):
            wants[name].append(need.inputs.get(i, ANY))
        for name in node.outputs:
            wants[name].append(need.output)
            made[name] = need.output.storage
        for i in need.same:
            if node.inputs[i] not in graph.constants:
                group[root(node.inputs[i])] = root(node.name)
    places = place_joined(graph, needs, wants, pinned)
    for name, (whole, _) in places.items():
        group[root(name)] = root(whole)
    merged: dict[str, list[Want]] = {}
    for name, asked in wants.items():
        merged.setdefault(root(name), []).extend(asked)
    pinned_roots = {root(n) for n in pinned}
    layouts = {}
    for name, value in graph.values.items():
        free = len(value.shape) == 4 and root(name) not in pinned_roots
        layouts[name] = _merge(merged[root(name)], wants[name]) if free else ANY
        if root(name) not in pinned_roots:
            layouts[name] = replace(layouts[name], storage=made.get(name, F32))
    return layouts, places


def _merge(group: list[Want], own: list[Want]) -> Want:
    """A layout with the largest extents of a group. The fill mode comes from the value itself, or
    else from the first layout with one."""
    extent = tuple(max(w.halo.extent[i] for w in group) for i in range(4))
    filled = [w.halo for w in own if any(w.halo.extent)]
    first = filled[0] if filled else Halo()
    pads = first.pads
    if first.mode == "zero":
        pads = (0, 0, 0, 0)
    return Want(Halo(extent, pads, first.mode), max((w.align for w in group), default=1))


def _satisfies(have: Want, want: Want) -> bool:
    if have.storage != want.storage:
        return False
    if not any(want.halo.extent):
        return have.align % want.align == 0
    return (
        have.align % want.align == 0
        and have.halo.mode == want.halo.mode
        and (want.halo.mode == "zero" or have.halo.pads == want.halo.pads)
        and all(h >= w for h, w in zip(have.halo.extent, want.halo.extent, strict=True))
    )


def _tensor(name: str, shape: tuple[int, ...], layout: Want) -> Tensor:
    """The tensor at base 0."""
    storage = layout.storage
    if len(shape) != 4:
        return Tensor(name, shape, dense_strides(shape), 0, 0, _words(prod(shape), storage),
                      storage=storage)
    n, h, w, c = shape
    top, left, bottom, right = layout.halo.extent
    pixel = round_up(c, layout.align)
    row = (w + left + right) * pixel
    image = (h + top + bottom) * row
    strides = (image, row, pixel, 1)
    return Tensor(name, shape, strides, top * row + left * pixel, 0, _words(n * image, storage),
                  layout.halo, storage=storage)


def _words(elements: int, storage: Storage) -> int:
    """How many f32 elements hold `elements` in `storage`."""
    return -(-elements * storage.bytes // ELEMENT_BYTES["f32"])


# --- steps ---------------------------------------------------------------------------------------


class _Draft:
    """Steps in order, whose tensors have no addresses yet."""

    def __init__(self, graph: Graph, layouts: dict[str, Want], places: dict[str, Place]) -> None:
        self.graph, self.layouts, self.places = graph, dict(layouts), places
        for name in graph.constants:
            # A constant is dense. Its channels are aligned if their number is a multiple.
            shape = graph.shape(name)
            self.layouts[name] = Want(align=4 if shape and shape[-1] % 4 == 0 else 1)
        for name, layout in self.layouts.items():
            shape = graph.shape(name)
            if layout == ANY and len(shape) == 4 and shape[3] % 4 == 0:
                self.layouts[name] = Want(align=4)
        self.tensors = {
            n: _tensor(n, v.shape, self.layouts[n])
            for n, v in graph.values.items()
            if n not in graph.constants
        }
        self.root = {n: n for n in self.tensors}
        self.start = dict.fromkeys(self.tensors, 0)
        for name, (whole, channel) in places.items():
            self.root[name], self.start[name] = whole, channel
            self.tensors[name] = replace(self.tensors[whole], name=name, shape=graph.shape(name),
                                         whole=whole)
        self.bordered: set[str] = set()
        self.steps: list[tuple[Node, tuple[str, ...], tuple[str, ...], Needs]] = []
        self.slots: dict[tuple[str, Packing], str] = {}

    def alias(self, out: str, source: str, start: int) -> None:
        if source in self.graph.constants:
            source = self._slot(source, None)
        self.root[out] = self.root[source]
        self.start[out] = self.start[source] + start

    def add(self, node: Node, need: Needs) -> None:
        if self._is_joined(node):
            return
        made = tuple(out if _satisfies(self.layouts[out], need.output)
                     else self._new(f"{out}@out", self.graph.shape(out), need.output)
                     for out in node.outputs)
        inputs = []
        for i, name in enumerate(node.inputs):
            if name in self.graph.constants and i not in need.same:
                inputs.append(self._slot(name, need.packings.get(i)))
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
        own = self.places.get(node.name, (node.name, 0))
        return isinstance(node.attrs, Concat) and side_by_side(self.graph, node, self.places) == own

    def _slot(self, name: str, packing: Packing | None) -> str:
        shape = self.graph.shape(name)
        packing = packing or Packing("raw", prod(shape))
        key = (name, packing)
        if key not in self.slots:
            slot = f"{name}@{packing.kind}{len(self.slots)}"
            self.slots[key] = slot
            self.tensors[slot] = Tensor(slot, shape, dense_strides(shape), 0, 0,
                                        packing.elements, packing=packing)
            self.root[slot] = slot
            self.start[slot] = 0
        return self.slots[key]

    def _new(self, name: str, shape: tuple[int, ...], layout: Want) -> str:
        self.layouts[name] = layout
        self.tensors[name] = _tensor(name, shape, layout)
        self.root[name] = name
        self.start[name] = 0
        return name

    def _twin(self, name: str, want: Want) -> str:
        if _satisfies(self.layouts[name], want):
            return name
        twin = (f"{name}@{want.align}{want.halo.mode[0]}{'_'.join(map(str, want.halo.extent))}"
                f"{want.storage.kind}")
        if twin not in self.tensors:
            self._new(twin, self.graph.shape(name), want)
            self._copy(name, twin)
        return twin

    def _like(self, name: str, out: str, storage: Storage) -> str:
        """`name` in `storage`, with exactly the strides of `out`."""
        source = self._slot(name, None) if name in self.graph.constants else name
        have = self.tensors[source]
        if have.strides == self.tensors[out].strides and have.storage == storage:
            return source
        twin = f"{name}@like.{out}"
        if twin not in self.tensors:
            self._new(twin, self.graph.shape(name), replace(self.layouts[out], storage=storage))
            self._copy(source, twin)
        return twin

    def _copy(self, source: str, target: str) -> None:
        self._emit(Node(Copy(), (source,), (target,)), (source,), (target,), Needs())

    def _emit(self, node: Node, inputs: tuple[str, ...], outputs: tuple[str, ...],
              need: Needs) -> None:
        for out in outputs:
            halo, whole = self.layouts[out].halo, self.root[out]
            if any(halo.extent) and whole not in self.bordered:
                self.bordered.add(whole)
                self._fill(whole, FillHalo(mode="zero", pads=halo.extent), whole)
        self.steps.append((node, inputs, outputs, need))
        for out in outputs:
            halo = self.layouts[out].halo
            if halo.mode != "zero" and any(halo.pads):
                self._fill(self.root[out], FillHalo(mode=halo.mode, pads=halo.pads), out)

    def _fill(self, name: str, how: FillHalo, out: str) -> None:
        self.steps.append((Node(how, (), (name,)), (), (out,), Needs()))

    # --- addresses ---

    def finish(self, target: str) -> LinearPlan:
        for name in self.graph.outputs:
            if name in self.graph.constants:
                self._slot(name, None)
        top = 0
        weights = []
        for (constant, packing), name in self.slots.items():
            self._place(name, top)
            weights.append(Weight(constant, packing, top))
            top = round_up(top + packing.elements + SLACK, ALIGN)
        staging = top
        lives, scratch = self._lifetimes()
        at = _allocate([(size, first, last) for size, first, last in lives.values()])
        end = top
        for (name, (size, _, _)), offset in zip(lives.items(), at, strict=True):
            if name in self.tensors:
                self._place(name, top + offset)
            else:
                scratch[int(name.rpartition("@")[2])] = top + offset
            end = max(end, top + offset + size)
        biggest = max((staged(self.graph.shape(w.constant), w.packing) for w in weights), default=0)
        steps = tuple(
            Step(node, tuple(map(self._final, ins)), tuple(map(self._final, outs)),
                 scratch.get(i, 0), need.scratch)
            for i, (node, ins, outs, need) in enumerate(self.steps)
        )
        return LinearPlan(
            target, steps, tuple(weights),
            tuple(map(self._final, self.graph.inputs)),
            tuple(map(self._final, self.graph.outputs)),
            staging, round_up(max(end, staging + biggest) + SLACK, ALIGN),
        )

    def _place(self, name: str, base: int) -> None:
        t = self.tensors[name]
        words = ELEMENT_BYTES["f32"] // t.storage.bytes
        self.tensors[name] = replace(t, base=base, offset=t.offset + base * words)

    def _final(self, name: str) -> Tensor:
        """The tensor at its address. An alias has its own shape over its root's memory."""
        if name in self.graph.constants:
            name = self._slot(name, None)
        root = self.tensors[self.root[name]]
        if self.root[name] == name:
            return root
        return replace(self.tensors[name], offset=root.offset + self.start[name], base=root.base)

    def _lifetimes(self) -> tuple[dict[str, tuple[int, int, int]], dict[int, int]]:
        """(buffer -> (elements, first step, last step), the steps that want scratch memory)."""
        lives: dict[str, tuple[int, int, int]] = {}
        slots = set(self.slots.values())
        end = len(self.steps)

        def touch(name: str, step: int) -> None:
            name = self.root[name]
            if name in slots:
                return
            size = round_up(self.tensors[name].size + SLACK, ALIGN)
            _, first, last = lives.get(name, (size, step, step))
            lives[name] = (size, min(first, step), max(last, step))

        for name in self.graph.inputs:
            touch(name, -1)
        scratch: dict[int, int] = {}
        for i, (_, ins, outs, need) in enumerate(self.steps):
            for name in (*ins, *outs):
                touch(name, i)
            if need.scratch:
                scratch[i] = 0
                lives[f"scratch@{i}"] = (round_up(need.scratch + SLACK, ALIGN), i, i)
        for name in self.graph.outputs:
            if name not in self.graph.constants:
                touch(name, end)
        return lives, scratch


def staged(shape: tuple[int, ...], packing: Packing) -> int:
    """How many elements a constant takes while it is loaded: its scales, and the numbers to be
    packed."""
    return most_scales(shape) + (packing.kind != "raw") * prod(shape)


def _allocate(lives: Iterable[tuple[int, int, int]]) -> list[int]:
    """Offsets such that buffers alive at the same time never overlap; greedy by size.

    Source: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020,
    algorithm 3.
    """
    lives = list(lives)
    at = [0] * len(lives)
    placed: list[int] = []
    for i in sorted(range(len(lives)), key=lambda k: (-lives[k][0], lives[k][1], k)):
        size, first, last = lives[i]
        busy = sorted(
            (at[j], at[j] + lives[j][0])
            for j in placed
            if lives[j][1] <= last and first <= lives[j][2]
        )
        offset = 0
        for start, stop in busy:
            if offset + size <= start:
                break
            offset = max(offset, stop)
        at[i] = offset
        placed.append(i)
    return at
