"""The proof of a built pack from its files alone: their hashes, and the golden outputs.

Programs run in wasmtime and, on request, in V8.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import TRACEBACK, OnnxPressError, PackError, ProofError, plain
from ..files import FileEntry, read_file
from ..manifest.manifest import Manifest, read_manifest
from ..manifest.sense import require_sense
from ..manifest.sheet import Sheet
from ..pack.targets import Arithmetic
from ..pack.values import to_json
from ..proof.draws import draw
from ..proof.golden import golden_distance
from ..run.javascript import open_js
from ..run.wasmtime import open_program
from ..run.wgsl import Compiled, compile_shaders
from ..tasks import TASKS
from ..words import beside
from .dedupe import find_manifests
from .proof_sheet import check_sheet
from .publish import published_packs

HASHED = re.compile(r".+-([0-9a-f]{12})\.\w+")  # as write_file names files
# Keys of a manifest that name files.
NAMING = {"url", "thumbnail", "card", "labels",
          *(key for task in TASKS.values() for key in task.files)}


@dataclass(frozen=True, slots=True)
class Check:
    """A build's error on the golden inputs, in the manifest's metric."""

    build: str
    error: float
    tolerance: float


@dataclass(frozen=True)
class Recheck:
    """A pack whose files have their hashes and whose programs pass `checks`. `files`: how many.
    `shaders`: what became of WebGPU's shaders, where that was asked. `sheet`: the pack's proof
    sheet, which holds; None in packs of older versions."""

    path: Path
    manifest: Manifest
    files: int
    checks: list[Check]
    shaders: Compiled | None = None
    sheet: Sheet | None = None


def find_packs(folder: Path) -> list[Path]:
    """The manifests in a folder that `compile`, `build` or a site generator wrote.

    Raises:
        PackError: the folder has none.
    """
    single = folder / "manifest.json"
    found = ([single] if single.is_file() else list(published_packs(folder).values())
             or list(find_manifests(folder)))
    if not found:
        raise PackError(f"{folder}: there is no manifest.json and no demos/*.json here; "
                        "name a folder that onnxpress compile or build wrote, or a built site")
    return found


def verify_files(path: Path) -> tuple[Manifest, Sheet | None, int]:
    """(the manifest at `path`, its proof sheet, the number of its files), all as published.

    Raises:
        PackError: a file is missing, or its content is not the published one, or the proof sheet is
            about another pack.
    """
    manifest = read_manifest(path)
    require_sense(manifest, str(path))
    sheet = check_sheet(path, manifest)
    files = {_verify(file, path.parent) for file in named_files(to_json(manifest))}
    return manifest, sheet, len(files)


def recheck(path: Path, js: bool = False, webgpu: bool = False) -> Recheck:
    """Runs the pack: one check per WebAssembly build, and with `js` one of the JavaScript program.
    With `webgpu` the shaders are compiled.

    Raises:
        PackError: see `verify_files`.
        ProofError: a program's error exceeds the tolerance, or a shader is not valid.
    """
    manifest, sheet, files = verify_files(path)
    golden, targets = manifest.golden, manifest.targets
    checks = []
    feeds = list(draw(manifest.inputs, golden.ranges, golden.seed).values())
    if targets.wasm:
        for build in targets.wasm.files:
            with _fitting(f"{path}: wasm {build}"):
                program = open_program(targets.wasm, manifest.weights, path.parent, build)
                outputs = program.run(feeds)
            about = targets.wasm.program(build)
            own = about.golden if isinstance(about, Arithmetic) and about.golden else golden
            checks.append(Check(f"wasm {build}", golden_distance(own, outputs), own.tolerance))
    if js and targets.js:
        with _fitting(f"{path}: js"):
            outputs = open_js(targets.js, manifest.weights, path.parent).run(feeds)
        checks.append(Check("js", golden_distance(golden, outputs), golden.tolerance))
    for check in checks:
        if not check.error <= check.tolerance:
            found = beside(check.error, check.tolerance, digits=3)
            raise ProofError(f"{path}: {check.build} is off by {found}; "
                             f"{check.tolerance:.3g} is allowed")
    shaders = None
    if webgpu and targets.webgpu:
        shaders = compile_shaders([path.parent / f.url for f in targets.webgpu.files.values()])
    return Recheck(path, manifest, files, checks, shaders, sheet)


@contextmanager
def _fitting(where: str) -> Iterator[None]:
    """The files of a program have their hashes, so what fails inside is what the manifest says of
    it: a function that is not there, a place outside of memory.

    Raises:
        PackError: something failed; `where` begins the message.
    """
    try:
        yield
    except OnnxPressError:
        raise
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        raise PackError(f"{where} does not fit its manifest ({type(error).__name__}: "
                        f"{plain(error)}); build the pack again") from error


def named_files(part: Any) -> Iterator[FileEntry | tuple[str, str]]:
    """The files that `part` of a manifest names: the entry of a file, or its URL and the first
    digits of its sha256, which are in its name."""
    if isinstance(part, list):
        for inner in part:
            yield from named_files(inner)
    if not isinstance(part, Mapping):
        return
    if {"url", "sha256"} <= part.keys():
        yield FileEntry(part["url"], part["bytes"], part["sha256"])
        return
    for key, inner in part.items():
        if key in NAMING and isinstance(inner, str) and (match := HASHED.fullmatch(inner)):
            yield inner, match[1]
        yield from named_files(inner)


def _verify(file: FileEntry | tuple[str, str], folder: Path) -> str:
    """The file's URL, after its content is verified."""
    if isinstance(file, tuple):
        _verify_name(folder / file[0], file[1])
        return file[0]
    if len(read_file(file, folder)) != file.bytes:
        raise PackError(f"{folder / file.url}: it has not the {file.bytes} bytes that the manifest "
                        "states; build the pack again")
    return file.url


def _verify_name(path: Path, digits: str) -> None:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PackError(f"{path}: cannot be read: {error.strerror}") from error
    if not digest.startswith(digits):
        raise PackError(f"{path}: its name states another hash; build the pack again")
