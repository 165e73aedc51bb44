"""`onnxpress bench`: where the time of a run goes, step by step, in a browser of this machine."""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..browser import Browser, find_chromium
from ..errors import BrowserError, UnsupportedError
from ..pack import Pack
from ..runtime_files import RUNTIME
from .arguments import open_model
from .output import say, table

# Isolated pages have clocks of 5 us instead of 100 us (developer.mozilla.org, Performance.now);
# developer features do the same for WebGPU's timestamps.
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp"}
FLAGS = ("--enable-webgpu-developer-features",
         # A graphics card on Linux is reached through Vulkan, also where nothing is displayed.
         *(("--enable-features=Vulkan", "--disable-vulkan-surface")
           if sys.platform == "linux" else ()))
PATIENCE = 3600  # seconds

MEASURE = """
import { PressError, load } from "/runtime/onnxpress.js";
import { goldenInputs } from "/runtime/golden.js";
import { writeOutputs } from "/runtime/tensors.js";
const url = "/pack/manifest.json";
export const run = async ({ target, count }) => {
  try {
    const model = await load(url, { target, threads: 1 });
    const { golden } = await (await fetch(url)).json();
    const feeds = writeOutputs(model.inputs, goldenInputs(golden, model.inputs));
    for (let i = 0; i < count; i++) await model.run(feeds);
    const profiles = [];
    for (let i = 0; i < count; i++) profiles.push((await model.profile(feeds)).map((s) => s.ms));
    const { build, reason, timings: { first, runs } } = model;
    const engine = `Chromium ${navigator.userAgent.match(/Chrome\\/(\\d+)/)[1]}`;
    return { value: { build, engine, reason, first, runs, profiles } };
  } catch (error) {
    if (error instanceof PressError) return { value: { refusal: error.message } };
    throw error;
  }
};
"""


@dataclass(frozen=True, slots=True)
class Times:
    """All in milliseconds. `first`: a run right after loading; `profiles`: one row per
    measurement, with a column per step."""

    build: str
    engine: str
    reason: str
    first: float
    runs: Sequence[float]
    profiles: Sequence[Sequence[float]]


def run(options: argparse.Namespace) -> None:
    from ..compiler import Options, press

    if options.target != "wasm" and not find_chromium():
        raise BrowserError(f"bench --target {options.target} needs Chromium: install it (Debian: "
                           "apt install chromium) or set CHROMIUM to the path of a Chrome or Edge")
    model, shapes = open_model(options.model, options.shape, options.models, options.cache)
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as folder:
        pack = press(model, Path(folder), Options(
            name=options.model.stem, targets=(options.target,), shapes=shapes))
        if options.build:
            pack = _only(pack, options.target, options.build)
        times = _measure(pack, options.target, options.runs)
    facts = _facts(pack.manifest["targets"][options.target]["steps"], times)
    if options.json:
        say(json.dumps({"model": options.model.name, "target": options.target, **facts},
                       indent=1, ensure_ascii=False))
    else:
        _print(facts)


def _only(pack: Pack, target: str, build: str) -> Pack:
    """The pack with one build of its target, so that a browser has no choice."""
    from ..compiler import finish

    about = pack.manifest["targets"][target]
    if build not in about["files"]:
        raise UnsupportedError(f"{target} has no build {build} here; "
                               f"it has {', '.join(about['files'])}")
    about = {**about, "files": {build: about["files"][build]}}
    return finish({**pack.manifest, "targets": {target: about}}, pack.folder)


def _measure(pack: Pack, target: str, count: int) -> Times:
    if not find_chromium():
        return _in_wasmtime(pack, count)
    folders = {"/runtime/": RUNTIME, "/pack/": pack.folder}
    with Browser(folders, ISOLATED, FLAGS) as browser:
        value = browser.run(MEASURE, {"target": target, "count": count}, timeout=PATIENCE).value
    if "refusal" in value:
        raise BrowserError(value["refusal"])
    return Times(**value)


def _in_wasmtime(pack: Pack, count: int) -> Times:
    from ..golden import draw
    from ..wasmtime_runner import ALONE, open_program

    manifest = pack.manifest
    about = manifest["targets"]["wasm"]
    build = next(iter(about["files"]))
    program = open_program(manifest, pack.folder, build)
    feeds = list(draw(manifest["inputs"], manifest["golden"]["ranges"]).values())
    step = program.exports["step"]
    first, *runs = [_ms(program.run, feeds) for _ in range(count + 1)]
    profiles = [[_ms(step, program.store, i, *ALONE) for i in range(len(about["steps"]))]
                for _ in range(count)]
    reason = "No Chromium is on this machine; browsers compile the same file in their own way."
    return Times(build, "wasmtime", reason, first, runs, profiles)


def _ms(call: Callable[..., Any], *args: Any) -> float:
    begin = time.perf_counter()
    call(*args)
    return 1e3 * (time.perf_counter() - begin)


def _facts(steps: Sequence[Sequence[Any]], times: Times) -> dict[str, Any]:
    """The result as JSON; a step's time is the best of its measurements."""
    best = [min(column) for column in zip(*times.profiles, strict=True)]
    return {
        "build": times.build, "engine": times.engine, "reason": times.reason,
        "run": {"first_ms": times.first, "median_ms": statistics.median(times.runs),
                "min_ms": min(times.runs), "count": len(times.runs)},
        "steps": [{"label": label, "ms": ms, "flops": flops}
                  for (label, flops, *_), ms in zip(steps, best, strict=True)],
    }


def _print(facts: Mapping[str, Any]) -> None:
    steps, whole = facts["steps"], facts["run"]
    total = {"label": "total", "ms": sum(s["ms"] for s in steps),
             "flops": sum(s["flops"] for s in steps)}
    table(["step", "ms", "share", "GFLOP/s"], [_row(s, total["ms"]) for s in (*steps, total)])
    say(f"Each step: the best of {whole['count']}. A whole run: first {whole['first_ms']:.2f} ms, "
        f"then median {whole['median_ms']:.2f} ms, min {whole['min_ms']:.2f} ms.")
    say(f"{facts['engine']}, build {facts['build']}. {facts['reason']}")


def _row(step: Mapping[str, Any], total: float) -> list[str]:
    ms, flops = step["ms"], step["flops"]
    return [step["label"], f"{ms:.3f}", f"{100 * ms / total:.1f} %" if total else "–",
            f"{flops / ms / 1e6:.1f}" if flops and ms else "–"]
