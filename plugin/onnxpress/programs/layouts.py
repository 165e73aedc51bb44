"""The layout of every value in linear memory: its halo, its alignment and its storage.

A kernel states what it wants of its operands and its output (`Needs`). A value gets the largest
halo and alignment that its readers want, if it may have any. These values must be dense: inputs,
outputs and constants, and values that are reshaped or that a kernel can only read dense.
"""

from dataclasses import replace
from math import prod

from ..emit.layout import ANY, Halo, Needs, Tensor, Want, dense_strides, round_up
from ..graph.graph import Graph, Node
from ..graph.storage import ELEMENT_BYTES, F32, Storage
from ..ops import alias_start
from ..ops.move import Slice
from .joined import Channels, place_joined


def linear_alias_start(node: Node, graph: Graph) -> int | None:
    """The element of its input's memory at which the output begins, or None.

    A node with such a start is no step. Images are left out, so that they may have halos.
    """
    out = graph.shape(node.name)
    if isinstance(node.attrs, Slice) and len(out) == 4:
        return None
    return alias_start(node, graph.shape(node.inputs[0]), out) if node.inputs else None


def choose_layouts(graph: Graph, needs: dict[str, Needs]
                   ) -> tuple[dict[str, Want], dict[str, Channels]]:
    """(value name -> the layout that its maker gives it, value name -> its channels in a
    concatenation).

    Operands of a concatenation, and residuals, share one layout with their output.
    """
    wants: dict[str, list[Want]] = {name: [] for name in graph.values}
    pinned = {*graph.inputs, *graph.outputs, *graph.constants}
    group = {name: name for name in graph.values}
    made: dict[str, Storage] = {}

    def root(name: str) -> str:
        """The value that stands for the group of `name`."""
        while group[name] != name:
            name = group[name]
        return name

    for node in graph.nodes:
        if linear_alias_start(node, graph) is not None:
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
        layouts[name] = _common(merged[root(name)], wants[name]) if free else ANY
        if root(name) not in pinned_roots:
            layouts[name] = replace(layouts[name], storage=made.get(name, F32))
    return layouts, places


def _common(group: list[Want], own: list[Want]) -> Want:
    """The layout with the largest extents and alignment that a group wants. The mode and the pads
    of the halo come from the first of the value's `own` wants that has a halo."""
    top, left, bottom, right = (max(w.halo.extent[i] for w in group) for i in range(4))
    filled = [w.halo for w in own if any(w.halo.extent)]
    first = filled[0] if filled else Halo()
    pads = first.pads
    if first.mode == "zero":
        pads = (0, 0, 0, 0)
    halo = Halo((top, left, bottom, right), pads, first.mode)
    return Want(halo, max((w.align for w in group), default=1))


def satisfies(have: Want, want: Want) -> bool:
    """Whether a kernel that wants the layout `want` can read a tensor in the layout `have`."""
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


def tensor_of(name: str, shape: tuple[int, ...], layout: Want) -> Tensor:
    """The tensor `name` in this layout, at base 0."""
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
