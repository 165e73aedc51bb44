"""topk on WebGPU: bitonic networks in workgroup memory.

A workgroup takes a row, or several short ones, in chunks. It sorts each chunk and keeps the best of
the chunk and of all chunks before. If k exceeds the largest chunk, tiles of the row are sorted, and
one dispatch for each step between tiles merges them.

Source: Batcher, "Sorting networks and their applications", 1968.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from ...emit.wgsl.device import Device
from ...emit.wgsl.shader import LANES, MAX_BINDING, Dispatch, Port, dispatch
from ...errors import PlanError
from ...graph.graph import Graph, Node
from ...ops.topk import TopK

LARGEST_CHUNK = 1024  # pairs of u32; two chunks fill the 16 KiB of workgroup memory
GROUP = 256  # invocations of a workgroup
Facts = dict[str, int]  # a template's numbers


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    topk, shape = TopK.of(node), graph.shape(node.inputs[0])
    n, inner = shape[topk.axis], prod(shape[topk.axis + 1 :])
    rows = prod(shape) // n
    facts: Facts = {"n": n, "k": topk.k, "inner": inner, "rows": rows, "largest": topk.largest}
    x = Port("x", node.inputs[0], shape)
    outs = [Port(name, value, graph.shape(value))
            for name, value in zip(("values", "indices"), node.outputs, strict=True)]
    if topk.k > LARGEST_CHUNK:
        return _sort(node, x, outs, facts)
    chunk = max(_power(topk.k), min(_power(n), GROUP))
    together = min(max(1, GROUP // chunk), _power(rows))
    return [dispatch("topk/shader.wgsl", [x], outs, -(-rows // together), {}, {},
                     chunk=chunk, together=together,
                     lanes=min(GROUP, max(1, chunk * together // 2)), **facts)]


def _sort(node: Node, x: Port, outs: list[Port[str]], facts: Facts) -> list[Dispatch]:
    """Sorts the indices of whole rows in two temporaries by turns."""
    size = _power(facts["n"])
    count = facts["rows"] * size
    if 4 * count > MAX_BINDING:
        raise PlanError(f"%{node.name}: sorting {count} indices takes more than the "
                        f"{MAX_BINDING >> 20} MiB that every WebGPU device can bind; leave the "
                        "target webgpu out")
    turns = [f"{node.name}@{name}" for name in ("even", "odd")]
    given, made = (Port(name, "", (facts["rows"], size), words=count) for name in ("given", "made"))
    facts = {**facts, "size": size, "tile": LARGEST_CHUNK, "tiles": size // LARGEST_CHUNK,
             "count": count}
    steps: list[Dispatch] = []
    for i, (template, more) in enumerate(_phases(size)):
        source = [replace(given, value=turns[1 - i % 2])] if i else []
        lanes, groups = (GROUP, count // LARGEST_CHUNK) if template == "tile" else (
            LANES, -(-count // LANES))
        steps.append(dispatch(
            f"topk/{template}.wgsl", [x, *source], [replace(made, value=turns[i % 2])], groups,
            {turns[i]: count} if i < len(turns) else {}, {}, lanes=lanes, **facts, **more))
    last, total = replace(given, value=turns[1 - len(steps) % 2]), facts["rows"] * facts["k"]
    return [*steps, dispatch("topk/take.wgsl", [x, last], outs, -(-total // LANES), {}, {},
                             lanes=LANES, total=total, **facts)]


def _phases(size: int) -> Iterator[tuple[str, Facts]]:
    """The templates that sort `size` places, in order, each with its facts."""
    yield "tile", {"merges": False}
    span = 2 * LARGEST_CHUNK
    while span <= size:
        stride = span // 2
        while stride >= LARGEST_CHUNK:
            yield "step", {"span": span, "stride": stride}
            stride //= 2
        yield "tile", {"merges": True, "span": span}
        span *= 2


def _power(n: int) -> int:
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()
