"""Graph -> a WebGPU program for each class of GPU: WGSL texts with every shape written in.

One JSON file holds a program. The manifest names the steps. The file's entries:

- `buffers`: sizes in bytes; `weights`, `inputs`, `outputs`: their places in the buffers.
- `shaders`: {code, reads, writes, numbers}; `numbers` counts the u32 of a further uniform binding;
  some lines of `code` are for subgroups, see emit/wgsl/shader.py.
- `dispatches`: {step, shader, numbers, bind: [[buffer, offset, bytes], ...], groups: [x, y]}.
- `submits`: the last dispatch of each command buffer.
- `tables`: numbers that kernels add to the weights.
- `setup`: dispatches that run once, after the weights have arrived; `spent`: the buffers that
  nothing reads after them.
"""

import json
from collections.abc import Mapping, Sequence, Set
from math import prod
from typing import Any

from ...emit.wgsl.cost import palette
from ...emit.wgsl.device import DEVICES, Device
from ...emit.wgsl.shader import MAX_BINDING, Dispatch, Slice
from ...emit.wgsl.weights import halved, store
from ...errors import PlanError, fault_at
from ...graph.graph import Graph, Node
from ...kernels import gpu_kernel
from ...ops import alias_start, bound
from ...ops.attrs import Product
from ...ops.matmul import MatMul
from ...pack.targets import StepCost, Webgpu
from ..label import label
from ..program import Program
from .buffers import Buffers, place
from .channels import fit_channels
from .cut import cut, submits
from .fit import fit_operands
from .half import enabled, half_values, halve
from .memory import OFFSET_ALIGN, Binding
from .merge import merge_shaders
from .moves import fit_moves, is_moved

HALF = "-f16"  # a build's name is the class of GPU, then this

Lowered = list[tuple[Node, list[Dispatch]]]


def build(graph: Graph, devices: Sequence[Device] = DEVICES,
          encodings: Mapping[str, str] = {}, *, half: bool = False) -> Program[Webgpu]:
    """A program of `graph` for each of `devices`, and the manifest's facts about them.

    `encodings`: how the pack stores constants; weights keep this encoding in GPU memory. `half`:
    values lie in memory as f16, and so do weights that are stored in f32.

    Raises:
        PlanError: an operator has no WebGPU kernel, or a value exceeds the largest binding that
            every device offers.
    """
    graph, slices = fit(store(graph, halved(encodings) if half else encodings))
    labels = tuple(_label(node, graph) for node in _steps(graph))
    held = half_values(graph, roots_of(graph)) if half else set()
    files = {f"{d.name}{HALF if half else ''}": (_program(graph, slices, d, held), "json")
             for d in devices}
    return Program("webgpu", files, Webgpu(steps=labels))


def fit(graph: Graph) -> tuple[Graph, dict[str, Slice]]:
    """(the graph as kernels want it, the sources of its new constants' numbers)"""
    graph, slices = fit_channels(fit_operands(graph))
    return fit_moves(graph), slices


def lower_all(graph: Graph, device: Device, held: Set[str] = frozenset()) -> Lowered:
    """The dispatches of each step of a fitted graph, in the tiles and ways that suit the whole
    program best."""
    nodes = _steps(graph)
    works = [d.work for node in nodes for d in _lower(node, graph, device) if d.work]
    device = palette(works, device, half=bool(held))
    return [(node, cut([halve(d, held) for d in _lower(node, graph, device)],
                       _label(node, graph)[1], device.submit)) for node in nodes]


def _program(graph: Graph, slices: Mapping[str, Slice], device: Device, held: Set[str]) -> bytes:
    roots = roots_of(graph)
    steps = lower_all(graph, device, held)
    buffers = place(graph, roots, [d for _, made in steps for d in made], held)
    weights = []
    for value, binding in buffers.bindings.items():
        if isinstance(value, Slice):
            weights.append(_upload(value, binding))
        elif value in graph.constants and roots[value] == (value, 0):
            whole = Slice(value, 0, graph.constants[value].size)
            weights.append(_upload(slices.get(value, whole), binding))
    content = {
        "buffers": buffers.sizes, "spent": buffers.spent, "weights": weights,
        "inputs": [_port(n, buffers, graph) for n in graph.inputs],
        "outputs": [_port(n, buffers, graph) for n in graph.outputs],
        **_commands(steps, buffers, device),
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _port(name: str, buffers: Buffers, graph: Graph) -> dict[str, Any]:
    """Where the page writes an input or reads an output. `offset` counts bytes, `length` f32."""
    binding = buffers.bindings[name]
    return {"name": name, "buffer": binding.buffer, "offset": binding.offset,
            "length": prod(graph.shape(name))}


def _steps(graph: Graph) -> list[Node]:
    """The nodes that need dispatches of their own."""
    return [node for node in graph.nodes
            if _alias_start(node, graph) is None and not is_moved(node)]


def _alias_start(node: Node, graph: Graph) -> int | None:
    """The element of its input's memory at which the output begins, if a binding can begin there
    (in f16 too)."""
    start = alias_start(node, graph.shape(node.inputs[0]), graph.shape(node.name))
    return start if start is not None and 2 * start % OFFSET_ALIGN == 0 else None


def _lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    kernel = gpu_kernel(node)
    into = node.attrs.into if isinstance(node.attrs, Product) else None
    for name in (*node.inputs, *node.outputs, *(into or ())[:1]):
        size = 4 * prod(graph.shape(name))
        if size > MAX_BINDING and not (isinstance(node.attrs, MatMul) and name == node.inputs[1]):
            raise PlanError(f"%{name}: {size >> 20} MiB exceed the {MAX_BINDING >> 20} MiB that "
                            "every WebGPU device can bind; leave the target webgpu out")
    with fault_at(f'{node.op} "{node.name}" in WGSL'):
        return kernel.lower(node, graph, device)


def roots_of(graph: Graph) -> dict[str, tuple[str, int]]:
    """Value -> (the value in whose memory it lies, the element at which it begins)."""
    roots = {name: (name, 0) for name in graph.values}
    for node in graph.nodes:
        start = _alias_start(node, graph)
        if start is not None:
            root, before = roots[node.inputs[0]]
            roots[node.name] = root, before + start
    return roots


def _upload(part: Slice, binding: Binding) -> dict[str, Any]:
    """The upload of a constant, or of a part of one: its `bytes` bytes from `start` on.

    With several `runs`, these lie `pitch` bytes apart, with zeros between them.
    """
    spread = {"runs": part.runs, "pitch": part.bytes(part.pitch)} if part.runs > 1 else {}
    return {"tensor": part.name, "kind": part.kind, "start": part.bytes(part.start),
            "bytes": part.bytes(part.length), **spread, "buffer": binding.buffer,
            "offset": binding.offset}


def _commands(steps: Lowered, buffers: Buffers, device: Device) -> dict[str, Any]:
    """What the page does with the buffers: shaders, dispatches of setup and of a run, submits, and
    the numbers of tables."""
    runs, setup, tables, operations = [], {}, [], []
    shaders, numbered = _shaders([d for _, dispatches in steps for d in dispatches])
    for i, (_, dispatches) in enumerate(steps):
        for d in dispatches:
            bind = [buffers.bindings[v] for v in (*d.reads, *d.writes)]
            shader, numbers = numbered[_key(d)]
            run = {"step": i, "shader": shader, "numbers": numbers,
                   "bind": [[p.buffer, p.offset, p.size] for p in bind],
                   "groups": list(d.workgroups)}
            if d.once:
                setup.setdefault(d.writes, run)
            else:
                runs.append(run)
                operations.append(d.operations)
            for name, data in d.tables.items():
                binding = buffers.bindings[name]
                tables.append({"buffer": binding.buffer, "offset": binding.offset,
                               "data": list(data)})
    return {"shaders": shaders, "setup": list(setup.values()), "dispatches": runs,
            "submits": submits(operations, device.submit), "tables": tables}


def _key(dispatch: Dispatch) -> tuple[str, int, int]:
    """(text, buffers read, buffers written): dispatches with one key run one shader."""
    return dispatch.shader, len(dispatch.reads), len(dispatch.writes)


def _shaders(dispatches: list[Dispatch]) -> tuple[list[dict], dict[tuple, tuple[int, list[int]]]]:
    """(the shaders, for each dispatch's key its shader's index and its numbers)"""
    groups: dict[tuple[int, int], list[str]] = {}
    for code, reads, writes in dict.fromkeys(map(_key, dispatches)):
        groups.setdefault((reads, writes), []).append(code)
    shaders, found = [], {}
    for (reads, writes), texts in groups.items():
        for merged in merge_shaders(texts, reads + writes):
            for text, numbers in merged.numbers.items():
                found[text, reads, writes] = len(shaders), list(numbers)
            shaders.append({"code": enabled(merged.code), "reads": reads, "writes": writes,
                            "numbers": merged.count})
    return shaders, found


def _label(node: Node, graph: Graph) -> StepCost:
    sides = [[(n, graph.shape(n)) for n in names] for names in (node.inputs, node.outputs)]
    return label(bound(node, graph), sides[0], dict(sides[1]))
