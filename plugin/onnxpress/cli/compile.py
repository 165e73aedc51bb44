"""`onnxpress compile` and `onnxpress verify`: models without specs, packs without models."""

import argparse

from ..page_numbers import build, exponent, required
from ..sizes import size_table, sizes_of
from .output import open_display, say, say_json, table


def run_compile(options: argparse.Namespace) -> None:
    from ..compiler import Options, compile_model

    display = open_display()
    try:
        pack = compile_model(
            options.model, options.out,
            Options(name=options.model.stem, targets=options.targets, weights=options.weights,
                    shapes=dict(options.shape)),
            lambda *stage: display.stage(options.model.name, *stage))
    finally:
        display.close()
    manifest, path = pack.manifest, options.out / "manifest.json"
    if options.json:
        say_json({**sizes_of(manifest).json(), "manifest": str(path), "proof": manifest["proof"],
                  "notes": manifest["notes"]})
        return
    say(size_table([sizes_of(manifest)]))
    table(["Against onnxruntime", "largest error", "required"],
          [[build(row), exponent(row["max_error_over_peak"]), required(row)]
           for row in manifest["proof"]])
    for note in manifest["notes"]:
        say(f"Note: {note['where']}: {note['reason']}")
    say(f"{path} is ready to be served beside onnxpress.js")


def run_verify(options: argparse.Namespace) -> None:
    from ..recheck import find_packs, recheck

    for manifest in find_packs(options.folder):
        rows = recheck(manifest)
        table([str(manifest), "error", "allowed"],
              [[f"  {row.build}", exponent(row.error), exponent(row.tolerance)] for row in rows])
