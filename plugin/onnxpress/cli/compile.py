"""`onnxpress compile`: a pack without a spec. `onnxpress verify`: packs proven without a model."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..build.pool import Pool, Tell
from ..errors import fault_at, plain
from ..pack.values import to_json
from ..site.page_numbers import build, error, facts_of, required
from ..site.sizes import size_table, sizes_of
from ..words import beside, exponent
from .output import open_display, say, say_json, table

if TYPE_CHECKING:
    from ..manifest.manifest import Manifest
    from ..site.recheck import Recheck


ROWS = ("Errors are fractions of the output's peak: of the graph in float64 against {}, "
        "of each build against that graph.")


def run_compile(options: argparse.Namespace) -> None:
    display = open_display()
    pool = Pool(1, lambda kind, *stage: display.stage(plain(options.model.name), *stage),
                options.limits)
    try:
        manifest = pool.submit(_compile, options).result()
    finally:
        pool.close()
        display.close()
    path = options.out / "manifest.json"
    if options.json:
        say_json({**sizes_of(manifest).json(), "manifest": str(path),
                  "proof": to_json(manifest.proof), "notes": to_json(manifest.notes)})
        return
    say(size_table([sizes_of(manifest)]))
    table(["proof", "largest error", "required"],
          [[build(row), error(row), required(row)] for row in manifest.proof])
    say(ROWS.format(facts_of(manifest).yardstick or "itself"))
    for note in manifest.notes:
        say(f"Note: {note.where}: {note.reason}")
    say(f"{path} is ready to be served beside onnxpress.js")


def _compile(tell: Tell, options: argparse.Namespace) -> "Manifest":
    """In a child process: the manifest of the pack that is now in `options.out`."""
    from ..compiler import Options, compile_model
    from ..proof.sample_files import read_sample

    with fault_at(options.model.name):
        feeds = [read_sample(path) for path in options.sample]
        return compile_model(
            options.model, options.out,
            Options(name=options.model.stem, targets=options.targets, weights=options.weights,
                    shapes=dict(options.shape), feeds=feeds, simplify=options.simplify,
                    limits=options.limits),
            lambda *stage: tell("stage", *stage)).manifest


def run_verify(options: argparse.Namespace) -> None:
    from ..site.recheck import find_packs, recheck

    found = [recheck(path, options.js, options.webgpu) for path in find_packs(options.folder)]
    if options.json:
        say_json([_verified_json(one) for one in found])
        return
    for one in found:
        facts = facts_of(one.manifest)
        say(f"{one.path}: {one.files} files are as published")
        table(["  weights", "bytes", "holds", "result, and the limit"],
              [[f"  {row.encoding}", f"{row.bytes:,}", "yes" if row.holds else "no", row.figure]
               for row in facts.tried])
        table(["  before publication", "largest error", "required"],
              [[f"  {build(row)}", error(row), required(row)] for row in one.manifest.proof])
        table(["  now", "error", "allowed"],
              [[f"  {row.build}", beside(row.error, row.tolerance, exponent, 2),
                exponent(row.tolerance)]
               for row in one.checks])
        if one.shaders:
            say(f"  WebGPU: {one.shaders}")
        if facts.half:
            say(f"  {facts.half}")


def _verified_json(one: "Recheck") -> dict[str, Any]:
    manifest = one.manifest
    return {"manifest": str(one.path), "files": one.files, "bytes": manifest.weights.bytes,
            "encoding": manifest.weights.encoding, "tried": to_json(manifest.weights.tried),
            "f16": to_json(manifest.f16), "proof": to_json(manifest.proof),
            "checks": [asdict(check) for check in one.checks],
            "shaders": asdict(one.shaders) if one.shaders else None}
