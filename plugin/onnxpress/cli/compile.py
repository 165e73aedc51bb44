"""`onnxpress compile`: a pack without a spec. `onnxpress verify`: packs proven without a model."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..site.page_numbers import build, facts_of, required
from ..site.sizes import size_table, sizes_of
from ..words import exponent
from .output import open_display, say, say_json, table

if TYPE_CHECKING:
    from ..site.recheck import Recheck


ROWS = ("Errors are fractions of the output's peak: of the graph in float64 against onnxruntime, "
        "of each build against that graph.")


def run_compile(options: argparse.Namespace) -> None:
    from ..compiler import Options, compile_model
    from ..proof.sample_files import read_sample

    feeds = [read_sample(path) for path in options.sample]
    display = open_display()
    try:
        pack = compile_model(
            options.model, options.out,
            Options(name=options.model.stem, targets=options.targets, weights=options.weights,
                    shapes=dict(options.shape), feeds=feeds),
            lambda *stage: display.stage(options.model.name, *stage))
    finally:
        display.close()
    manifest, path = pack.manifest, options.out / "manifest.json"
    if options.json:
        say_json({**sizes_of(manifest).json(), "manifest": str(path), "proof": manifest["proof"],
                  "notes": manifest["notes"]})
        return
    say(size_table([sizes_of(manifest)]))
    table(["proof", "largest error", "required"],
          [[build(row), exponent(row["max_error_over_peak"]), required(row)]
           for row in manifest["proof"]])
    say(ROWS)
    for note in manifest["notes"]:
        say(f"Note: {note['where']}: {note['reason']}")
    say(f"{path} is ready to be served beside onnxpress.js")


def run_verify(options: argparse.Namespace) -> None:
    from ..site.recheck import find_packs, recheck

    found = [recheck(path, options.js) for path in find_packs(options.folder)]
    if options.json:
        say_json([_verified_json(one) for one in found])
        return
    for one in found:
        facts = facts_of(one.manifest)
        say(f"{one.path}: {one.files} files are as published")
        table(["  weights", "bytes", "holds", "result, and the limit"],
              [[f"  {row['encoding']}", f"{row['bytes']:,}", "yes" if row["holds"] else "no",
                row["figure"]] for row in facts["tried"]])
        table(["  before publication", "largest error", "required"],
              [[f"  {build(row)}", exponent(row["max_error_over_peak"]), required(row)]
               for row in one.manifest["proof"]])
        table(["  now", "error", "allowed"],
              [[f"  {row.build}", exponent(row.error), exponent(row.tolerance)]
               for row in one.checks])
        if facts["half"]:
            say(f"  {facts['half']}")


def _verified_json(one: "Recheck") -> dict[str, Any]:
    weights = one.manifest["weights"]
    return {"manifest": str(one.path), "files": one.files, "bytes": weights["bytes"],
            "encoding": weights.get("encoding"), "tried": weights.get("tried", []),
            "f16": one.manifest.get("f16"), "proof": one.manifest["proof"],
            "checks": [asdict(check) for check in one.checks]}
