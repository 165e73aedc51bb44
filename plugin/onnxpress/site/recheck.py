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
    `shaders`: what became of WebGPU's shaders, where that was asked."""

    path: Path
    manifest: Manifest
    files: int
    checks: list[Check]
    shaders: Compiled | None = None


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


def recheck(path: Path, js: bool = False, webgpu: bool = False) -> Recheck:
    """Runs the pack: one check per WebAssembly build, and with `js` one of the JavaScript program.
    With `webgpu` the shaders are compiled.

    Raises:
        PackError: a file is missing, or its content is not the published one.
        ProofError: a program's error exceeds the tolerance, or a shader is not valid.
    """
    manifest = read_manifest(path)
    require_sense(manifest, str(path))
    golden, targets = manifest.golden, manifest.targets
    files = set(_verified(to_json(manifest), path.parent))
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
    return Recheck(path, manifest, len(files), checks, shaders)


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


def _verified(part: Any, folder: Path) -> Iterator[str]:
    """Verifies the files that `part` of a manifest names, and yields their URLs.

    A file's hash is stated as a sha256, or by its first digits in the file's name.
    """
    if isinstance(part, list):
        for inner in part:
            yield from _verified(inner, folder)
    if not isinstance(part, Mapping):
        return
    if {"url", "sha256"} <= part.keys():
        yield _verify_file(FileEntry(part["url"], part["bytes"], part["sha256"]), folder)
        return
    for key, inner in part.items():
        if key in NAMING and isinstance(inner, str) and (match := HASHED.fullmatch(inner)):
            _verify_name(folder / inner, match[1])
            yield inner
        yield from _verified(inner, folder)


def _verify_file(file: FileEntry, folder: Path) -> str:
    read_file(file, folder)
    return file.url


def _verify_name(path: Path, digits: str) -> None:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PackError(f"{path}: cannot be read: {error.strerror}") from error
    if not digest.startswith(digits):
        raise PackError(f"{path}: its name states another hash; build the pack again")
