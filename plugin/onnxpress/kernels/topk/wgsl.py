"""topk on WebGPU: bitonic networks in workgroup memory.

A workgroup takes a row, or several short ones, in chunks. It sorts each chunk and keeps the best of
the chunk and of all chunks before. If k exceeds the largest chunk, tiles of the row are sorted, and
one dispatch for each step between tiles merges them.

Source: Batcher, "Sorting networks and their applications", 1968.
"""

from dataclasses import replace
from math import prod

from ...emit.wgsl.device import Device
from ...emit.wgsl.shader import LANES, Dispatch, Port, dispatch
from ...graph.graph import Graph, Node
from ...ops.topk import TopK

LARGEST_CHUNK = 1024  # pairs of u32; two chunks fill the 16 KiB of workgroup memory
GROUP = 256  # invocations of a workgroup


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    topk, shape = TopK.of(node), graph.shape(node.inputs[0])
    n, inner = shape[topk.axis], prod(shape[topk.axis + 1 :])
    facts = {"n": n, "k": topk.k, "inner": inner, "rows": prod(shape) // n,
             "largest": topk.largest}
    x = Port("x", node.inputs[0], shape)
    outs = [Port(name, value, graph.shape(value))
            for name, value in zip(("values", "indices"), node.outputs, strict=True)]
    if topk.k > LARGEST_CHUNK:
        return _sort(node, x, outs, facts)
    chunk = max(_power(topk.k), min(_power(n), GROUP))
    together = min(max(1, GROUP // chunk), _power(facts["rows"]))
    return [dispatch("topk/shader.wgsl", [x], outs, -(-facts["rows"] // together), chunk=chunk,
                     together=together, lanes=min(GROUP, max(1, chunk * together // 2)), **facts)]


def _sort(node: Node, x: Port, outs: list[Port[str]], facts: dict) -> list[Dispatch]:
    """Sorts the indices of whole rows in two temporaries by turns."""
    size = _power(facts["n"])
    rows, length = facts["rows"], facts["rows"] * size
    turns = [Port("", f"{node.name}@{name}", (rows, size), words=length)
             for name in ("even", "odd")]
    facts = {**facts, "size": size, "tile": LARGEST_CHUNK, "tiles": size // LARGEST_CHUNK,
             "count": length}
    steps: list[Dispatch] = []

    def add(phase: str, **more: int) -> None:
        target = replace(turns[len(steps) % 2], var="made")
        source = [replace(turns[1 - len(steps) % 2], var="given")] if steps else []
        scratch = {target.value: length} if len(steps) < 2 else {}
        groups = -(-length // LANES) if phase == "step" else length // LARGEST_CHUNK
        steps.append(dispatch(f"topk/{'step' if phase == 'step' else 'tile'}.wgsl", [x, *source],
                              [target], groups, scratch, {}, phase=phase,
                              lanes=LANES if phase == "step" else GROUP, **facts, **more))

    add("sort")
    span = 2 * LARGEST_CHUNK
    while span <= size:
        stride = span // 2
        while stride >= LARGEST_CHUNK:
            add("step", span=span, stride=stride)
            stride //= 2
        add("merge", span=span)
        span *= 2
    source, total = replace(turns[1 - len(steps) % 2], var="given"), rows * facts["k"]
    return [*steps, dispatch("topk/take.wgsl", [x, source], outs, -(-total // LANES), lanes=LANES,
                             total=total, **facts)]


def _power(n: int) -> int:
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()
