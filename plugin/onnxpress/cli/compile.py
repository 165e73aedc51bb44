"""`onnxpress compile` and `onnxpress verify`: models without specs, packs without models."""

import argparse
import sys

from ..display import LiveDisplay, LogDisplay
from ..page_numbers import TITLES, build, exponent, required, size
from .output import say, table


def run_compile(options: argparse.Namespace) -> None:
    from ..compiler import Options, compile_model

    display = LiveDisplay() if sys.stderr.isatty() else LogDisplay(say)
    try:
        pack = compile_model(
            options.model, options.out,
            Options(name=options.model.stem, targets=options.targets, weights=options.weights,
                    shapes=dict(options.shape)),
            lambda stage: display.stage(options.model.name, stage))
    finally:
        display.close()
    manifest = pack.manifest
    for target, about in manifest["targets"].items():
        program = max(entry["bytes"] for entry in about["files"].values())
        say(f"{TITLES[target]}: {size(program)}")
    say(f"Weights: {size(manifest['weights']['bytes'])}")
    table(["Against onnxruntime", "largest error", "required"],
          [[build(row), exponent(row["max_error_over_peak"]), required(row)]
           for row in manifest["proof"]])
    for note in manifest["notes"]:
        say(f"Note: {note['where']}: {note['reason']}")
    say(f"{options.out / 'manifest.json'} is ready to be served beside onnxpress.js")


def run_verify(options: argparse.Namespace) -> None:
    from ..recheck import find_packs, recheck

    for manifest in find_packs(options.folder):
        rows = recheck(manifest)
        table([str(manifest), "error", "allowed"],
              [[f"  {row.build}", exponent(row.error), exponent(row.tolerance)] for row in rows])
