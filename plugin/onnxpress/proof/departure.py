"""Which node departs first, where the graph in float64 and onnxruntime do not agree."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.graph import Graph, Node
from ..ops.interpret import interpret
from .inputs import Arrays
from .limits import F32_MAX
from .yardstick import Reference

# Of a value's peak, from where on it departs: the tolerance of f32 (decision 0006), and four times
# the 1e-3 by which two roundings to f16 may differ.
DEPARTS, DEPARTS_F16 = 1e-4, 4e-3


def first_departure(model: Any, graph: Graph, feeds: Arrays) -> str:
    """The end of a sentence that names the first node whose value onnxruntime computes otherwise,
    with both values; "" where none can be named. Nodes that passes have joined have no value of
    their own to compare."""
    made = {name: node.op_type for node in model.graph.node for name in node.output}
    shared = [node.name for node in graph.nodes if node.name in made]
    changed = type(model)()
    changed.CopyFrom(model)
    known = {output.name for output in changed.graph.output}
    for name in shared:
        if name not in known:
            changed.graph.output.add(name=name)
    try:
        wanted = dict(zip(shared, Reference(changed.SerializeToString()).run(feeds, shared),
                          strict=True))
    except Exception:  # onnxruntime's exceptions share no class of their own
        return ""
    found: list[str] = []

    def watch(node: Node, operands: Sequence[np.ndarray], results: Sequence[np.ndarray]) -> None:
        if not found and node.name in wanted:
            least = DEPARTS_F16 if graph.values[node.name].dtype == "f16" else DEPARTS
            pair = _apart(np.asarray(results[0]), np.asarray(wanted[node.name], np.float64), least)
            if pair:
                found.append(f'; {made[node.name]} "{node.name}" departs first, {pair[0]:.6g} and '
                             f"not {pair[1]:.6g}: cut the model before it, or report it")

    interpret(graph, feeds, watch)
    return found[0] if found else ""


def _apart(got: np.ndarray, want: np.ndarray, least: float) -> tuple[float, float] | None:
    """The two values that are furthest apart, if that is over `least` of the peak. Values of rank 4
    have their channels last in the graph."""
    if got.size != want.size:
        return None
    ways = [got.ravel()] + ([got.transpose(0, 3, 1, 2).ravel()] if got.ndim == 4 else [])
    want = want.ravel()
    held = np.isfinite(want)
    peak = float(np.abs(want[held]).max(initial=0.0)) or 1.0
    best: tuple[float, float, float] | None = None
    for way in ways:
        off = np.where(held & (np.abs(way) <= F32_MAX), np.abs(way - want), 0.0)
        at = int(off.argmax()) if off.size else 0
        if off.size and (best is None or off[at] < best[0]):
            best = float(off[at]), float(way[at]), float(want[at])
    return best[1:] if best and best[0] > least * peak else None
