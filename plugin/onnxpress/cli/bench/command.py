"""`onnxpress bench`: the time of each step of a run, in this machine's Chromium, in Node (Dawn) or
in wasmtime."""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import BrowserError, UnsupportedError
from ...manifest.pack import Pack, finish
from ...pack.targets import Linear, Targets
from ...run.browser import Browser, find_chromium
from ...runtime import RUNTIME
from ..arguments import open_model
from .dawn import run_in_dawn
from .report import Facts, report

# Isolated pages have clocks of 5 us instead of 100 us (developer.mozilla.org, Performance.now).
# Developer features make WebGPU's timestamps as fine.
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp"}
FLAGS = ("--enable-webgpu-developer-features",
         # Chromium on Linux reaches a graphics card through Vulkan, also without a display.
         *(("--enable-features=Vulkan", "--disable-vulkan-surface")
           if sys.platform == "linux" else ()))
PATIENCE = 3600  # seconds

MEASURE = """
import { PressError, load } from "/runtime/onnxpress.js";
import { measure } from "/runtime/bench/measure.js";
const url = "/pack/manifest.json";
export const run = async ({ target, count }) => {
  try {
    const manifest = await (await fetch(url)).json();
    const facts = await measure(load, url, manifest, { target }, count);
    const engine = `Chromium ${navigator.userAgent.match(/Chrome\\/(\\d+)/)[1]}`;
    return { value: { engine, ...facts } };
  } catch (error) {
    if (error instanceof PressError) return { value: { refusal: error.message } };
    throw error;
  }
};
"""


def run(options: argparse.Namespace) -> None:
    require(options)
    model, shapes = open_model(options)
    report({"model": options.model.name, **measure(model, shapes, options)}, options)


def require(options: argparse.Namespace) -> None:
    """
    Raises:
        BrowserError, UnsupportedError: the target cannot be measured with these options.
    """
    dawn = options.engine == "dawn"
    if dawn and options.target != "webgpu":
        raise UnsupportedError("bench --engine dawn measures WebGPU; add --target webgpu")
    if options.target != "wasm" and not dawn and not find_chromium():
        raise BrowserError(f"bench --target {options.target} needs Chromium: install it (Debian: "
                           "apt install chromium) or set CHROMIUM to the path of a Chrome or Edge")


def measure(model: Any, shapes: Mapping[str, tuple[int, ...]], options: argparse.Namespace
            ) -> Facts:
    """The times of a run of the compiled model, and of each step."""
    from ...compiler import Options, press

    with tempfile.TemporaryDirectory(prefix="onnxpress-") as folder:
        pack = press(model, Path(folder), Options(
            name=options.model.stem, targets=(options.target,), shapes=shapes,
            simplify=options.simplify))
        if options.build:
            pack = _only(pack, options.target, options.build)
        there = (_in_dawn if options.engine == "dawn" else
                 _in_browser if find_chromium() else _in_wasmtime)
        return there(pack, options)


def _only(pack: Pack, target: str, build: str) -> Pack:
    """The pack with one build of its target only, so that the browser takes that build."""
    about = pack.manifest.targets.named()[target]
    if build not in about.files:
        raise UnsupportedError(f"{target} has no build {build} here; "
                               f"it has {', '.join(about.files)}")
    alone: dict[str, Any] = {target: replace(about, files={build: about.files[build]})}
    return finish(replace(pack.manifest, targets=Targets(**alone)), pack.folder)


def _in_browser(pack: Pack, options: argparse.Namespace) -> Facts:
    folders = {"/runtime/": RUNTIME, "/pack/": pack.folder}
    with Browser(folders, ISOLATED, FLAGS) as browser:
        value = browser.run(MEASURE, {"target": options.target, "count": options.runs},
                            timeout=PATIENCE).value
    if "refusal" in value:
        raise BrowserError(value["refusal"])
    return value


def _in_dawn(pack: Pack, options: argparse.Namespace) -> Facts:
    return run_in_dawn(pack.folder, f"--runs={options.runs}", "--device-first")


def _in_wasmtime(pack: Pack, options: argparse.Namespace) -> Facts:
    from ...proof.draws import draw
    from ...run.wasmtime import ALONE, open_program

    manifest, count = pack.manifest, options.runs
    wasm = manifest.targets.wasm
    assert wasm, "measure() has compiled it"
    build = next(iter(wasm.files))
    steps = wasm.program(build).steps
    begin = time.perf_counter()
    program = open_program(wasm, manifest.weights, pack.folder, build)
    load = 1e3 * (time.perf_counter() - begin)
    golden = manifest.golden
    feeds = list(draw(manifest.inputs, golden.ranges, golden.seed).values())
    step = program.exports["step"]
    first, *runs = [_ms(program.run, feeds) for _ in range(count + 1)]
    best = [min(_ms(step, program.store, i, *ALONE) for _ in range(count))
            for i in range(len(steps))]
    return {
        "target": "wasm", "build": build, "engine": "wasmtime",
        "reason": "No Chromium is on this machine. Browsers compile the same file in their own "
                  "way.",
        "run": {"load_ms": load, "first_ms": first, "median_ms": statistics.median(runs),
                "min_ms": min(runs), "count": count},
        "peak": _peak_in_wasmtime(build),
        "each": {"what": "best", "count": count},
        "steps": [{"label": label, "ms": ms, "flops": flops, "bytes": size}
                  for (label, flops, size), ms in zip(steps, best, strict=True)],
    }


def _peak_in_wasmtime(build: str) -> dict[str, Any]:
    from ...emit.wasm.peak import FLOPS, peak_module
    from ...run.wasmtime import WasmProgram

    isa = build.rpartition("-")[2]
    nothing = Linear(elements=0, staging=0, weights=(), inputs=(), outputs=(), steps=())
    program = WasmProgram(peak_module(isa), nothing, {})
    spin, rounds = program.exports["spin"], 1 << 20
    best = min(_ms(spin, program.store, rounds) for _ in range(5))
    return {"gflops": FLOPS * rounds / best / 1e6, "what": f"f32 multiply and add, {isa} build"}


def _ms(call: Callable[..., Any], *args: Any) -> float:
    begin = time.perf_counter()
    call(*args)
    return 1e3 * (time.perf_counter() - begin)
