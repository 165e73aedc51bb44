"""`onnxpress compile`: a pack without a spec. `onnxpress verify`: packs proven without a model."""

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..build.origin import file_origin
from ..build.pool import Pool, Tell
from ..errors import OnnxPressError, fault_at, plain
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
    from ..site.proof_sheet import SINGLE, write_sheet

    with fault_at(options.model.name):
        origin = file_origin(options.model, options.sample)
        feeds = [read_sample(path) for path in options.sample]
        manifest = compile_model(
            options.model, options.out,
            Options(name=options.model.stem, targets=options.targets, weights=options.weights,
                    shapes=dict(options.shape), feeds=feeds, simplify=options.simplify,
                    limits=options.limits),
            lambda *stage: tell("stage", *stage)).manifest
        write_sheet(options.out / SINGLE, manifest, origin)
        return manifest


def run_verify(options: argparse.Namespace) -> None:
    with TemporaryDirectory(prefix="onnxpress-", ignore_cleanup_errors=True) as scratch:
        found = list(_recheck_all(options, Path(scratch).resolve()))
    if options.json:
        say_json([_verified_json(where, one) for where, one in found])
        return
    for where, one in found:
        _report(where, one)


def _recheck_all(options: argparse.Namespace, scratch: Path) -> "Iterator[tuple[str, Recheck]]":
    """(the place of a manifest, its pack) for each pack of the folder or the address, which is
    downloaded to `scratch`."""
    from ..site.published_site import download_packs
    from ..site.recheck import find_packs, recheck

    if "://" not in options.place:
        for path in find_packs(Path(options.place)):
            yield str(path), recheck(path, options.js, options.webgpu)
        return
    for url, path in download_packs(options.place, scratch):
        try:
            yield url, recheck(path, options.js, options.webgpu)
        except OnnxPressError as error:  # its path is a temporary one
            raise type(error)(str(error).replace(f"{scratch}{os.sep}", "")) from error


def _report(where: str, one: "Recheck") -> None:
    facts = facts_of(one.manifest)
    say(f"{where}: {one.files} files are as published")
    if one.sheet:
        sources = ", ".join(f"{file.name} ({file.sha256[:12]}…)" for file in one.sheet.origin.files
                            if file.role != "sample")
        say(f"  The proof sheet holds, from {sources or 'a source that it does not name'} to the "
            "manifest")
    else:
        say("  There is no proof sheet, so nothing is said of the source")
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


def _verified_json(where: str, one: "Recheck") -> dict[str, Any]:
    manifest = one.manifest
    return {"manifest": where, "sheet": to_json(one.sheet), "files": one.files,
            "bytes": manifest.weights.bytes, "encoding": manifest.weights.encoding,
            "tried": to_json(manifest.weights.tried), "f16": to_json(manifest.f16),
            "proof": to_json(manifest.proof), "checks": [asdict(check) for check in one.checks],
            "shaders": asdict(one.shaders) if one.shaders else None}
