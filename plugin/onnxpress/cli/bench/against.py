"""`onnxpress bench --against DIR`: a model on other engines and ours by turns.

DIR is a harness that runs the engines. It holds bench.mjs, and for Dawn webgpu_dawn.mjs:

    node bench.mjs --list               prints "engines: ours-wasm x-wasm ..." and "models: a b ..."
    node bench.mjs --engines A,B --models M --rounds N --runs N --out FILE
        measures the engines by turns and writes {"summary": [{"engine", "roundMedians", "min",
        "relPeak", "error"}]}: milliseconds, and the largest error over the output's peak
    node webgpu_dawn.mjs ENGINE MODEL   prints {"medianMs", "minMs", "errPeak"} in its last line

The harness finds our packs in the folder $ONNXPRESS_PACKS, one folder per model, and the browser at
$CHROMIUM.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ...errors import BrowserError, UnsupportedError, did_you_mean
from ...run.browser import find_chromium
from ...runtime import write_runtime
from ..arguments import open_model
from ..output import say, table
from .dawn import run_in_dawn
from .report import write_json

ROUNDS = 3
PEERS = {"wasm": "-wasm", "js": "-cpu"}  # target -> the end of peers' names
DAWN_PEERS = ("tfjs", "ort")


@dataclass(frozen=True)
class EngineTimes:
    """One engine's times in ms. `ratio`: its time over ours, the median over the rounds. `error`:
    why there are no times."""

    engine: str
    median_ms: float | None
    min_ms: float | None
    ratio: float | None
    error_over_peak: float | None = None
    error: str = ""


@dataclass(frozen=True)
class Harness:
    """A folder with bench.mjs, and the engines and models that it can measure."""

    folder: Path
    node: str
    engines: Sequence[str]
    models: Sequence[str]


def run(options: argparse.Namespace) -> None:
    from ...compiler import Options, press

    harness, stem, target = _open(options.against), options.model.stem, options.target
    _require(harness, stem, target, options.engine)
    model, shapes = open_model(options)
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as name:
        pack = Path(name) / stem
        press(model, pack, Options(name=stem, targets=(target,), shapes=shapes,
                                   simplify=options.simplify))
        write_runtime(pack, (target,))
        measure = _under_dawn if target == "webgpu" else _in_chromium
        rows = _compare(measure(harness, pack, options))
    facts = {"model": options.model.name, "target": target, "rounds": ROUNDS,
             "engines": [asdict(row) for row in rows]}
    if not write_json(facts, options):
        table(["engine", "median ms", "min ms", "ratio", "error / peak"], [_texts(r) for r in rows])
        say(f"Medians of {ROUNDS} rounds by turns. Ratio: an engine's time over ours.")


def _open(folder: Path) -> Harness:
    node = shutil.which("node")
    if not node:
        raise BrowserError("bench --against needs Node.js on PATH; install it")
    parts = [line.partition(":") for line in _lines(node, folder, "bench.mjs", "--list")]
    listed = {name: names.split() for name, _, names in parts}
    if not {"engines", "models"} <= listed.keys():
        raise UnsupportedError(f"{folder}: bench --against cannot use this harness: node "
                               "bench.mjs --list names no engines and models")
    return Harness(folder, node, listed["engines"], listed["models"])


def _require(harness: Harness, model: str, target: str, engine: str) -> None:
    folder, engines, models = harness.folder, harness.engines, harness.models
    if target == "webgpu" and engine != "dawn":
        raise UnsupportedError("bench --against measures webgpu in Node; add --engine dawn")
    if target != "webgpu" and f"ours-{target}" not in engines:
        raise UnsupportedError(f"{folder}: has no engine ours-{target}, which would run our packs; "
                               f"it has {', '.join(engines)}")
    if model not in models:
        raise UnsupportedError(f"{folder}: has no model {model}, only {', '.join(models)}."
                               f"{did_you_mean(model, list(models))}")


def _in_chromium(harness: Harness, pack: Path, options: argparse.Namespace
                 ) -> Sequence[Mapping[str, Any]]:
    """The harness's summary, with our engine first."""
    ours, end = f"ours-{options.target}", PEERS[options.target]
    names = (ours, *(e for e in harness.engines if e.endswith(end) and not e.startswith("ours")))
    out = pack.parent / "results.json"
    for line in _lines(
            harness.node, harness.folder, "bench.mjs", "--engines", ",".join(names),
            "--models", pack.name, "--rounds", str(ROUNDS), "--runs", str(options.runs),
            "--out", str(out), ONNXPRESS_PACKS=str(pack.parent), CHROMIUM=find_chromium() or ""):
        if line.startswith(pack.name):
            sys.stderr.write(line)
    if not out.is_file():
        raise BrowserError(f"{harness.folder}: node bench.mjs wrote no results")
    found = {one["engine"]: one for one in json.loads(out.read_text("utf-8"))["summary"]}
    return [found[name] for name in names if name in found]


def _under_dawn(harness: Harness, pack: Path, options: argparse.Namespace
                ) -> Sequence[Mapping[str, Any]]:
    """Like `_in_chromium`, for WebGPU in Node: one process per engine and round."""
    found: dict[str, dict[str, Any]] = {
        name: {"engine": f"{name}-webgpu", "roundMedians": [], "min": float("inf")}
        for name in ("ours", *DAWN_PEERS)}
    for _ in range(ROUNDS):
        ours = run_in_dawn(pack, f"--runs={options.runs}", "--device-first")["run"]
        _add(found["ours"], ours["median_ms"], ours["min_ms"])
        for peer in DAWN_PEERS:
            *_, last = "", *_lines(
                harness.node, harness.folder, "webgpu_dawn.mjs", peer, pack.name)
            if not last.startswith("{"):
                found[peer]["error"] = "webgpu_dawn.mjs printed no figures"
                continue
            its = json.loads(last)
            _add(found[peer], its["medianMs"], its["minMs"])
            found[peer]["relPeak"] = its["errPeak"]
    return list(found.values())


def _lines(node: str, folder: Path, script: str, *arguments: str, **variables: str
           ) -> Iterator[str]:
    """The lines that the script prints, as they come."""
    with subprocess.Popen([node, folder.resolve() / script, *arguments], encoding="utf-8",
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env={**os.environ, **variables}) as process:
        assert process.stdout
        yield from process.stdout


def _add(row: dict[str, Any], middle: float, least: float) -> None:
    row["roundMedians"].append(middle)
    row["min"] = min(row["min"], least)


def _compare(found: Sequence[Mapping[str, Any]]) -> list[EngineTimes]:
    """One row per engine of the harness's summary, whose first engine is ours."""
    ours = found[0].get("roundMedians") or []
    rows = []
    for one in found:
        times = one.get("roundMedians") or []
        if not times:
            error = str(one.get("error") or one.get("skip") or "no figures")
            rows.append(EngineTimes(one["engine"], None, None, None, error=error))
            continue
        ratios = [its / our for its, our in zip(times, ours, strict=False)]
        rows.append(EngineTimes(one["engine"], median(times), one["min"],
                        median(ratios) if ratios else None, one.get("relPeak")))
    return rows


def _texts(row: EngineTimes) -> list[str]:
    if row.median_ms is None:
        return [row.engine, row.error.splitlines()[0], "", "", ""]
    return [row.engine, f"{row.median_ms:.2f}", f"{row.min_ms:.2f}",
            "–" if row.ratio is None else f"{row.ratio:.2f}",
            "–" if row.error_over_peak is None else f"{row.error_over_peak:.1e}"]
