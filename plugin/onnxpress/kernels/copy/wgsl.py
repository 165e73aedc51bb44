"""Copies on WebGPU: one dispatch makes all strided copies from up to seven sources."""

from itertools import groupby
from math import prod

from ...emit.wgsl.device import Device
from ...emit.wgsl.expr import number
from ...emit.wgsl.shader import LANES, MAX_BUFFERS, Dispatch, Port, dispatch, over_elements, walk
from ...graph.graph import Graph, Node
from ...ops import moves
from ...ops.attrs import Movement
from ...ops.copies import Move, coalesce


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    out = graph.shape(node.name)
    shapes = [graph.shape(v) for v in node.inputs]
    plan, done = moves(node, shapes, out), Movement.of(node).moved
    parts = [_at_least_1d(coalesce(part)) for part in plan.parts
             if prod(part.shape) and part.source not in done]
    steps = []
    if plan.fill is not None:
        wide = prod(out) % 4 == 0
        value = f"vec4f({number(plan.fill)})" if wide else number(plan.fill)
        steps.append(over_elements("copy/fill.wgsl", [], Port("out", node.name, out, wide),
                                   value=value))
    parts.sort(key=lambda part: part.source)
    for _, batch in groupby(parts, key=lambda part: part.source // (MAX_BUFFERS - 1)):
        steps.append(_copy(node, graph, list(batch)))
    return steps


def _at_least_1d(move: Move) -> Move:
    if move.shape:
        return move
    return Move(move.source, (1,), move.src_offset, (1,), move.dst_offset, (1,))


def _copy(node: Node, graph: Graph, parts: list[Move]) -> Dispatch:
    """The dispatch that copies all `parts`; each has its range of invocations."""
    out = graph.shape(node.name)
    sources = list(dict.fromkeys(part.source for part in parts))
    wide = (
        all(map(_in_fours, parts))
        and all(prod(graph.shape(node.inputs[s])) % 4 == 0 for s in sources)
        and prod(out) % 4 == 0
    )
    ranges, first = [], 0
    for part in map(_narrow, parts) if wide else parts:
        places = walk("j", part.shape, {"at": part.src_strides, "to": part.dst_strides},
                      {"at": part.src_offset, "to": part.dst_offset})
        count = prod(part.shape)
        ranges.append({"first": first, "end": first + count, "places": places,
                       "source": f"x{part.source}"})
        first += count
    reads = [Port(f"x{s}", node.inputs[s], graph.shape(node.inputs[s]), wide) for s in sources]
    return dispatch("copy/shader.wgsl", reads, [Port("out", node.name, out, wide)],
                    -(-first // LANES), lanes=LANES, ranges=ranges)


def _in_fours(move: Move) -> bool:
    """Whether the copy can move whole vec4f: runs, strides and offsets are multiples of four
    elements."""
    outer = (*move.src_strides[:-1], *move.dst_strides[:-1])
    return move.src_strides[-1] == move.dst_strides[-1] == 1 and not any(
        n % 4 for n in (move.shape[-1], move.src_offset, move.dst_offset, *outer)
    )


def _narrow(move: Move) -> Move:
    """The same copy; its shape, strides and offsets count vec4f."""
    return Move(
        move.source, (*move.shape[:-1], move.shape[-1] // 4),
        move.src_offset // 4, (*(s // 4 for s in move.src_strides[:-1]), 1),
        move.dst_offset // 4, (*(s // 4 for s in move.dst_strides[:-1]), 1),
    )
