"""`onnxpress explain`: the graph that the compiler makes of a model, and its notes."""

import argparse
import json
from typing import Any

from ..errors import PassError, did_you_mean
from ..pack.values import to_json
from .arguments import open_model
from .output import say


def run_explain(options: argparse.Namespace) -> None:
    from ..compiler import Notes
    from ..compiler import statistics as count
    from ..model.spill import model_bytes

    model, shapes = open_model(options)
    notes = Notes()
    graph = _stage(model, shapes, options, notes)
    facts = count(graph, model_bytes(model))
    if options.json:
        say(json.dumps({"graph": _plain(graph), "notes": to_json(notes.entries),
                        "statistics": to_json(facts)}, indent=1, ensure_ascii=False))
        return
    say(str(graph))
    for note in notes.entries:
        say(f"note: {note.where}: {note.reason}")
    say(f"{len(graph.nodes)} operators, {facts.parameters:,} parameters, "
        f"{facts.flops / 1e9:.3g} GFLOP")


def _stage(model: Any, shapes: Any, options: argparse.Namespace, notes: Any) -> Any:
    """The graph after the pass `after` of `options`, or after all passes."""
    from ..compiler import lower
    from ..importer.model import import_model
    from ..model.simplify import simplify
    from ..passes import PORTABLE

    after = options.after
    if after is None:
        return lower(model, shapes, notes, options.simplify)
    names = ["import", *(run.__name__ for run in PORTABLE)]
    if after not in names:
        raise PassError(f'there is no pass "{after}".{did_you_mean(after, names)} '
                        f"They are: {', '.join(dict.fromkeys(names))}")
    graph = import_model(simplify(model, shapes, notes, options.simplify), shapes)
    # A pass may run more than once; `after` means its last run.
    last = len(names) - 1 - names[::-1].index(after)
    for run in PORTABLE[:last]:
        graph = run(graph, notes)
    return graph


def _plain(graph: Any) -> dict[str, Any]:
    return {
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "nodes": [{"op": n.op, "inputs": list(n.inputs), "outputs": list(n.outputs),
                   "shapes": [list(graph.shape(out)) for out in n.outputs],
                   "attrs": {k: str(v) for k, v in n.attrs.told().items()}} for n in graph.nodes],
        "constants": {name: list(value.shape) for name, value in graph.constants.items()},
    }
