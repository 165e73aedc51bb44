"""The proof sheet of a pack: what its files come from, and how they were proven.

It repeats figures of the manifest, so that it can be read alone, and adds what a visit never needs:
the source files, the parts of the cache key, the licences. `seal` is the sha256 of the sheet
without it. So every byte of a sheet counts.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ..errors import PackError
from ..files import json_bytes
from ..pack.proof import F16, ProofRow, Tolerance, YardstickName
from ..pack.shapes import KEY
from ..pack.values import from_json, to_json
from ..pack.weights import Tried
from .manifest import Manifest, Note

NOT_RUN = "not run at the build"  # in the notes on programs that no row of the proof is about
Role = Literal["model", "weights", "recipe", "sample"]
Part = Literal["page", "model", "code", "weights", "data", "sample"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that the pack is made of, as it was read. It is not published, but for samples, which
    visitors get in another format."""

    role: Role
    name: str
    """without its folder"""
    sha256: str
    url: str = ""
    """where it was downloaded from; empty for a file of the build machine"""


@dataclass(frozen=True, slots=True)
class Origin:
    """What decided the content of a pack."""

    files: tuple[SourceFile, ...] = ()
    key: str = ""
    """of the pack in caches: a hash of all that decides it; empty outside of caches"""
    parts: Mapping[str, str] = field(default_factory=dict)
    """the parts of the key: its name -> sha256; "code" is the compiler with its tools"""


@dataclass(frozen=True, slots=True)
class ProvenFile:
    """A published file with the code or the weights of the pack, or the manifest."""

    role: Literal["shard", "program", "manifest"]
    name: str
    """without its folder, for `onnxpress dedupe` moves files"""
    bytes: int
    sha256: str
    of: str = ""
    """the target and the build of a program"""


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of one part of a demo."""

    part: Part
    """page: the runtime and the programs; model: its code and weights, where the card does not tell
    them apart"""
    name: str
    licence: str
    """empty where the author states none"""
    source: str = ""
    """the URL of the page that it comes from"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The proof sheet of a pack."""

    format: Literal[1] = field(metadata={KEY: "onnxpressProof"})
    """the format's version"""
    name: str
    title: str
    origin: Origin
    graph: str
    """the sha256 of the simplified graph as text, which `onnxpress explain` prints; empty in packs
    of older versions"""
    files: tuple[ProvenFile, ...]
    """the manifest is the last one; there are two while `onnxpress dedupe` replaces it"""
    yardstick: YardstickName
    outputs: tuple[str, ...]
    """the names of the model's outputs"""
    proof: tuple[ProofRow, ...]
    encodings: tuple[Tried, ...]
    """of the weights, smallest first; the last one is published"""
    f16: F16 | None = None
    """whether f16 can hold the values that the model computes"""
    unrun: tuple[Note, ...]
    """the programs that no row of the proof has run, and why"""
    device: Tolerance
    """what a visitor's device is held to"""
    licences: tuple[Licence, ...]
    seal: str = ""
    """the sha256 of the sheet as compact JSON without this field"""


def sheet_of(manifest: Manifest, published: ProvenFile, origin: Origin,
             licences: tuple[Licence, ...]) -> Sheet:
    """The sealed sheet of a pack. `published`: its manifest as a file."""
    demo, golden = manifest.demo, manifest.golden
    return seal(Sheet(
        format=1, name=manifest.name, title=demo.title if demo else manifest.name, origin=origin,
        graph=manifest.statistics.graph if manifest.statistics else "",
        files=(*_files(manifest), published), yardstick=manifest.yardstick,
        outputs=tuple(port.name for port in manifest.outputs), proof=manifest.proof,
        encodings=manifest.weights.tried, f16=manifest.f16, unrun=_unrun(manifest),
        device=Tolerance(golden.metric, golden.tolerance), licences=licences))


def seal(sheet: Sheet) -> Sheet:
    """The sheet with the seal that belongs to its content."""
    bare = replace(sheet, seal="")
    return replace(bare, seal=hashlib.sha256(sheet_bytes(bare)).hexdigest())


def sheet_bytes(sheet: Sheet) -> bytes:
    """The sheet as the compact JSON that is published."""
    return json_bytes(to_json(sheet))


def read_sheet(path: Path) -> Sheet:
    """The sheet in the file at `path`, whose seal is whole.

    Raises:
        PackError: the file cannot be read, is no proof sheet, or was changed after its seal.
    """
    try:
        content = path.read_bytes()
        value = json.loads(content)
    except OSError as error:
        raise PackError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError:
        raise PackError(f"{path}: this is not a proof sheet: it is no JSON") from None
    sheet = from_json(Sheet, value, str(path))
    if seal(sheet) != sheet or sheet_bytes(sheet) != content:
        raise PackError(f"{path}: the proof sheet was changed after it was sealed; build the pack "
                        "again")
    return sheet


def compare(sheet: Sheet, manifest: Manifest, content: bytes, where: str) -> None:
    """That the sheet is about this manifest, whose file holds `content`.

    Raises:
        PackError: it is not; the message names the first link that breaks.
    """
    digest = hashlib.sha256(content).hexdigest()
    stated = [file for file in sheet.files if file.role == "manifest"]
    found = next((file for file in stated if file.sha256 == digest), None)
    if found is None:
        raise PackError(f"{where}: the manifest's sha256 is {digest[:12]}…, and its proof sheet "
                        f"states {stated[-1].sha256[:12] if stated else 'none'}…; build the pack "
                        "again")
    wanted = replace(sheet_of(manifest, found, sheet.origin, sheet.licences),
                     files=(*_files(manifest), *stated), seal=sheet.seal)
    for part in to_json(wanted).keys() | to_json(sheet).keys():
        if to_json(wanted).get(part) != to_json(sheet).get(part):
            raise PackError(f'{where}: "{part}" of the proof sheet is not what the manifest says; '
                            "build the pack again")


def _files(manifest: Manifest) -> tuple[ProvenFile, ...]:
    shards = [ProvenFile("shard", _name(file.url), file.bytes, file.sha256)
              for file in manifest.weights.shards]
    programs = [ProvenFile("program", _name(file.url), file.bytes, file.sha256,
                           f"{target} {build}")
                for target, about in manifest.targets.named().items()
                for build, file in about.files.items()]
    return (*shards, *programs)


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _unrun(manifest: Manifest) -> tuple[Note, ...]:
    """What the compiler noted on each target of which no program was run."""
    return tuple(note for note in manifest.notes
                 if note.where in manifest.targets.named() and NOT_RUN in note.reason)
