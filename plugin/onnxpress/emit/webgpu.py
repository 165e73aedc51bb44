"""Graph -> a WebGPU program for each class of GPU: WGSL texts with every shape baked in.

One JSON file holds all of a program: `buffers` (bytes), where `weights`, `inputs` and `outputs` lie
in them, `shaders` ({code, reads, writes, numbers}; `numbers` counts the u32 of a further uniform
binding), `dispatches` ({step, shader, numbers, bind: [[buffer, offset, bytes], ...], groups:
[x, y]}), `submits` (the dispatch that ends each command buffer) and `tables` (numbers that kernels
add to the weights). The manifest names the steps.
"""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from math import prod
from typing import Any

from ..errors import PlanError
from ..graph import Graph, Node
from ..kernels.argmax import wgsl as argmax
from ..kernels.conv2d import wgsl as conv2d
from ..kernels.copy import wgsl as copy
from ..kernels.gather import wgsl as gather
from ..kernels.matmul import wgsl as matmul
from ..kernels.normalize import wgsl as normalize
from ..kernels.pointwise import wgsl as pointwise
from ..kernels.pool2d import wgsl as pool2d
from ..kernels.reduce import wgsl as reduce
from ..kernels.resize2d import wgsl as resize2d
from ..kernels.softmax import wgsl as softmax
from ..kernels.window_sum import wgsl as window_sum
from ..ops import OPS, bound
from .program import Program
from .wgsl_device import DEVICES, Device
from .wgsl_fit import fit_operands
from .wgsl_gemm import palette
from .wgsl_half import enabled, half_values, halve
from .wgsl_memory import Place, lifetimes, padded, place_constants, place_values
from .wgsl_shader import MAX_BINDING, Dispatch, Lower, Slice
from .wgsl_share import share
from .wgsl_weights import halved, store

LOWER: dict[str, Lower] = {
    "argmax": argmax.lower,
    "conv2d": conv2d.lower,
    "gather": gather.lower,
    "matmul": matmul.lower,
    "normalize": normalize.lower,
    "pointwise": pointwise.lower,
    "pool2d": pool2d.lower,
    "reduce": reduce.lower,
    "resize2d": resize2d.lower,
    "softmax": softmax.lower,
    "window_sum": window_sum.lower,
    **dict.fromkeys(
        ("concat", "copy", "expand", "pad", "slice", "transpose", "upsample_zero"), copy.lower
    ),
}

# A submit of this many operations takes a slow integrated GPU (100 GFLOP/s) a tenth of a second;
# browsers reset a GPU that is busy for some seconds.
SUBMIT_FLOPS = 10_000_000_000

HALF = "-f16"  # behind the class of GPU, in a build's name

Steps = list[tuple[Node, list[Dispatch]]]
Labels = list[list[Any]]


def build(graph: Graph, devices: Sequence[Device] = DEVICES,
          encodings: Mapping[str, str] = {}, *, half: bool = False) -> Program:
    """A program of `graph` for each of `devices`, and the manifest's facts about them.
    `encodings`: how the pack stores constants, which weights keep in GPU memory. `half`: values
    lie in memory as f16, and so do weights that are stored in f32.

    Raises:
        PlanError: an operator has no WebGPU kernel, or a value exceeds the largest binding that
            every device offers.
    """
    graph = fit_operands(store(graph, halved(encodings) if half else encodings))
    labels = [_label(node, graph) for node in graph.nodes if node.op != "reshape"]
    held = half_values(graph, roots_of(graph)) if half else set()
    files = {f"{d.name}{HALF if half else ''}": (_program(graph, d, labels, held), "json")
             for d in devices}
    return Program("webgpu", files, {"steps": labels})


def _program(graph: Graph, device: Device, labels: Labels, held: Set[str]) -> bytes:
    roots = roots_of(graph)
    works = [d.work for _, ds in _lower_all(graph, device) for d in ds if d.work]
    steps = [(node, [halve(d, held) for d in ds])
             for node, ds in _lower_all(graph, palette(works, device))]
    places, sizes = _place(graph, roots, steps, held)
    at = lambda name: {"name": name, "buffer": places[roots[name]].buffer,  # noqa: E731
                       "offset": places[roots[name]].offset, "length": prod(graph.shape(name))}
    weights = [
        {"tensor": part.name, "kind": part.kind, "start": part.bytes(part.start),
         "bytes": part.bytes(part.length), "buffer": place.buffer, "offset": offset}
        for part, offset, place in _weights(graph, places)
    ]
    content = {
        "buffers": sizes, "weights": weights, "inputs": [at(n) for n in graph.inputs],
        "outputs": [at(n) for n in graph.outputs], **_commands(steps, roots, places, labels),
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _lower_all(graph: Graph, device: Device) -> Steps:
    return [(n, _lower(n, graph, device)) for n in graph.nodes if n.op != "reshape"]


def _lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    if node.op not in LOWER:
        raise PlanError(f"%{node.name}: no kernel runs {node.op} on webgpu")
    for name in (*node.inputs, *node.outputs):
        size = 4 * prod(graph.shape(name))
        if size > MAX_BINDING and not (node.op == "matmul" and name == node.inputs[1]):
            raise PlanError(f"%{name}: {size >> 20} MiB exceed the {MAX_BINDING >> 20} MiB that "
                            "every WebGPU device can bind; leave the target webgpu out")
    return LOWER[node.op](node, graph, device)


def roots_of(graph: Graph) -> dict[str, str]:
    """Value -> the value whose memory it is: a reshape is its input."""
    roots = {name: name for name in graph.values}
    for node in graph.nodes:
        if node.op == "reshape":
            roots[node.name] = roots[node.inputs[0]]
    return roots


def _place(graph: Graph, roots: Mapping[str, str], steps: Steps, held: Set[str]) -> tuple[
        dict[str | Slice, Place], list[int]]:
    """The place of every constant, table and value, and all buffers' sizes; values in `held` take
    two bytes an element."""
    constants: dict[str | Slice, int] = {}
    touches = []
    for _, dispatches in steps:
        for d in dispatches:
            touched = {}
            for value in (*d.reads, *d.writes):
                if isinstance(value, Slice):
                    constants[value] = padded(value.size)
                    continue
                name = roots.get(value, value)
                if name in graph.constants:
                    constants[name] = padded(4 * graph.constants[name].size)
                elif name in d.tables:
                    constants[name] = padded(4 * len(d.tables[name]))
                else:
                    touched[name] = 0
            touches.append(touched)
    for name in graph.outputs:
        if roots[name] in graph.constants:
            constants[roots[name]] = padded(4 * graph.constants[roots[name]].size)
    scratch = {k: v for _, ds in steps for d in ds for k, v in d.scratch.items()}
    for touched in touches:
        for name in touched:
            elements = scratch[name] if name in scratch else prod(graph.shape(name))
            touched[name] = (2 if name in held else 4) * elements
    fixed, fixed_sizes = place_constants(constants.items())
    lives = lifetimes([(n, 4 * prod(graph.shape(n))) for n in graph.inputs],
                      [roots[n] for n in graph.outputs], touches)
    moving, moving_sizes = place_values(lives, len(fixed_sizes))
    return {**fixed, **moving}, fixed_sizes + moving_sizes


def _weights(graph: Graph, places: Mapping[str | Slice, Place]):
    """(slice of one run, offset in bytes, place) of everything to upload."""
    for value, place in places.items():
        if isinstance(value, Slice):
            for i in range(value.runs):
                run = replace(value, start=value.start + i * value.length)
                yield run, place.offset + value.bytes(i * value.pitch), place
        elif value in graph.constants:
            yield Slice(value, 0, graph.constants[value].size), place.offset, place


def _commands(steps: Steps, roots: Mapping[str, str], places: Mapping[str | Slice, Place],
              labels: Labels) -> dict[str, Any]:
    runs, submits, tables, load = [], [], [], 0
    shaders, numbered = _shaders([d for _, dispatches in steps for d in dispatches])
    for i, (_, dispatches) in enumerate(steps):
        for d in dispatches:
            bind = [places[roots.get(v, v)] for v in (*d.reads, *d.writes)]
            shader, numbers = numbered[_key(d)]
            runs.append({"step": i, "shader": shader, "numbers": numbers,
                         "bind": [[p.buffer, p.offset, p.size] for p in bind],
                         "groups": list(d.workgroups)})
            tables += [{"buffer": places[n].buffer, "offset": places[n].offset, "data": list(data)}
                       for n, data in d.tables.items()]
        load += labels[i][1]
        if load >= SUBMIT_FLOPS or i == len(steps) - 1:
            submits.append(len(runs))
            load = 0
    return {"shaders": shaders, "dispatches": runs, "submits": submits, "tables": tables}


def _key(dispatch: Dispatch) -> tuple[str, int, int]:
    return dispatch.shader, len(dispatch.reads), len(dispatch.writes)


def _shaders(dispatches: list[Dispatch]) -> tuple[list[dict], dict[tuple, tuple[int, list[int]]]]:
    """The shaders, and for each dispatch's key its shader's index and its numbers."""
    groups: dict[tuple[int, int], list[str]] = {}
    for code, reads, writes in dict.fromkeys(map(_key, dispatches)):
        groups.setdefault((reads, writes), []).append(code)
    shaders, places = [], {}
    for (reads, writes), texts in groups.items():
        for shared in share(texts, reads + writes):
            for text, numbers in shared.numbers.items():
                places[text, reads, writes] = len(shaders), list(numbers)
            shaders.append({"code": enabled(shared.code), "reads": reads, "writes": writes,
                            "numbers": len(numbers)})
    return shaders, places


def _label(node: Node, graph: Graph) -> list[Any]:
    """["conv2d 1x56x56x64 -> 1x56x56x64", flops]."""
    shapes = [graph.shape(n) for n in node.inputs]
    sides = (*shapes[:1], graph.shape(node.name))
    text = " -> ".join("x".join(map(str, side)) or "scalar" for side in sides)
    return [f"{node.op} {text}", int(OPS[node.op].flops(bound(node, graph), shapes))]
