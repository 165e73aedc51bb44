"""`onnxpress explain` and `onnxpress bench`: what the compiler made, and where its time goes."""

import argparse
import json
import statistics
import time
from typing import Any

from ..errors import PassError, UnsupportedError, did_you_mean
from .arguments import open_model
from .output import say, table


def run_explain(options: argparse.Namespace) -> None:
    from ..compiler import Notes
    from ..compiler import statistics as count

    model, shapes = open_model(options.model, options.shape, options.models, options.cache)
    notes = Notes()
    graph = _stage(model, shapes, options.after, notes)
    facts = count(graph)
    if options.json:
        say(json.dumps({"graph": _plain(graph), "notes": notes.entries, "statistics": facts},
                       indent=1, ensure_ascii=False))
        return
    say(str(graph))
    for note in notes.entries:
        say(f"note: {note['where']}: {note['reason']}")
    say(f"{len(graph.nodes)} operators, {facts['parameters']:,} parameters, "
        f"{facts['flops'] / 1e9:.3g} GFLOP")


def _stage(model: Any, shapes: Any, after: str | None, notes: Any) -> Any:
    """The graph after the named pass, or after all of them."""
    from ..compiler import lower
    from ..importer import import_model
    from ..passes import PORTABLE
    from ..simplify import simplify

    if after is None:
        return lower(model, shapes, notes)
    names = ["import", *(run.__name__ for run in PORTABLE)]
    if after not in names:
        raise PassError(f'there is no pass "{after}".{did_you_mean(after, names)} '
                        f"They are: {', '.join(dict.fromkeys(names))}")
    graph = import_model(simplify(model, shapes, notes), shapes)
    # A pass may run more than once; "after" means the last time.
    last = len(names) - 1 - names[::-1].index(after)
    for run in PORTABLE[:last]:
        graph = run(graph, notes)
    return graph


def _plain(graph: Any) -> dict[str, Any]:
    return {
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "nodes": [{"op": n.op, "inputs": list(n.inputs), "outputs": list(n.outputs),
                   "shape": list(graph.shape(n.outputs[0])),
                   "attrs": {k: str(v) for k, v in n.attrs.items()}} for n in graph.nodes],
        "constants": {name: list(value.shape) for name, value in graph.constants.items()},
    }


def run_bench(options: argparse.Namespace) -> None:
    from ..compiler import Notes, lower
    from ..emit import wasm
    from ..golden import draw, ranges
    from ..wasmtime_runner import WasmProgram

    model, shapes = open_model(options.model, options.shape, options.models, options.cache)
    graph = lower(model, shapes, Notes())
    built = wasm.build(graph)
    if options.build not in built.files:
        raise UnsupportedError(f"this model has no build {options.build}; "
                               f"it has {', '.join(built.files)}")
    program = WasmProgram(built.files[options.build][0], built.about, graph.constants)
    ports = [{"name": n, "shape": graph.shape(n), "dtype": graph.values[n].dtype}
             for n in graph.inputs]
    program.run(list(draw(ports, ranges(ports, {})).values()))
    rows = [(label, flops, _median_ms(program, i, options.runs))
            for i, (label, flops, *_) in enumerate(built.about["steps"])]
    total = sum(ms for *_, ms in rows)
    table(["step", "ms", "share", "GFLOP/s"],
          [[label, f"{ms:.3f}", f"{100 * ms / total:.1f} %",
            f"{flops / ms / 1e6:.1f}" if flops else "–"] for label, flops, ms in rows])
    say(f"{total:.2f} ms a run, {sum(r[1] for r in rows) / total / 1e6:.1f} GFLOP/s, one thread, "
        f"median of {options.runs}; browsers compile the same file in their own way")


def _median_ms(program: Any, step: int, runs: int) -> float:
    run, store = program.exports["step"], program.store
    times = []
    for _ in range(max(1, runs)):
        begin = time.perf_counter()
        run(store, step)
        times.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(times)
