"""Where the proof sheet of a pack lies, how it is made of a built demo, and whether it holds.

A folder of `onnxpress compile` has it as `ALONE`, beside the manifest. In a site, the sheet of
demos/NAME.json is proofs/NAME.json, which is found without a look into the folder: a verifier may
have a URL only.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

from ..build.builds import Built
from ..files import write_atomically
from ..manifest.manifest import Manifest
from ..manifest.sheet import (
    Licence,
    Origin,
    ProvenFile,
    Sheet,
    compare,
    read_sheet,
    seal,
    sheet_bytes,
    sheet_of,
)
from ..spec import Demo

FOLDER = "proofs/"
INDEX = "demos.json"  # beside the folder: the names of all demos of the site
SINGLE, ALONE = "manifest.json", "proof.json"
RUNTIME = Licence("page", "onnxpress: the runtime and the programs", "MIT")


def sheet_place(manifest: str) -> str:
    """The path or URL of the sheet, relative to the manifest, whose file has that name."""
    return ALONE if manifest == SINGLE else f"../{FOLDER}{manifest}"


def built_sheet(built: Built, manifest: Manifest, content: bytes) -> Sheet:
    """The sheet of a demo whose published manifest is the file with that content."""
    file = _manifest_file(f"{built.demo.name}.json", content)
    return sheet_of(manifest, file, built.origin, licences_of(built.demo))


def write_sheet(path: Path, manifest: Manifest, origin: Origin) -> None:
    """Writes the sheet of a pack without a spec beside its manifest, the file at `path`.

    Raises:
        PackError: it cannot be written.
    """
    sheet = sheet_of(manifest, _manifest_file(path.name, path.read_bytes()), origin, (RUNTIME,))
    write_atomically(path.parent / sheet_place(path.name), sheet_bytes(sheet))


def licences_of(demo: Demo) -> tuple[Licence, ...]:
    """Of code, weights and data apart, as far as the card tells them apart."""
    card, samples = demo.card, demo.samples
    if card.licences:
        usual = {"code": card.licence, "weights": card.licence, "data": "",
                 **card.licences}
        parts = [Licence(part, card.title, usual[part], card.homepage)
                 for part in ("code", "weights", "data")]
    else:
        parts = [Licence("model", card.title, card.licence, card.homepage)]
    return (RUNTIME, *parts, *(Licence("sample", s.title, s.licence, s.source) for s in samples))


def check_sheet(path: Path, manifest: Manifest) -> Sheet | None:
    """The sheet of the manifest at `path`, which holds; None where the site has none.

    Raises:
        PackError: the sheet was changed, or is about another manifest.
    """
    place = path.parent / sheet_place(path.name)
    if not place.is_file():
        return None
    sheet = read_sheet(place)
    compare(sheet, manifest, path.read_bytes(), str(place))
    return sheet


def expect_manifest(path: Path, content: bytes) -> None:
    """Lets the sheet of the manifest at `path` state a second manifest, which will replace it.

    Raises:
        PackError: the sheet was changed, or cannot be written.
    """
    place = path.parent / sheet_place(path.name)
    if place.is_file():
        sheet = read_sheet(place)
        both = dict.fromkeys((*sheet.files, _manifest_file(path.name, content)))
        write_atomically(place, sheet_bytes(seal(replace(sheet, files=tuple(both)))))


def settle_sheet(path: Path, manifest: Manifest) -> None:
    """Lets the sheet of the manifest at `path` state this manifest alone.

    Raises:
        PackError: the sheet was changed, or cannot be written.
    """
    place = path.parent / sheet_place(path.name)
    if place.is_file():
        sheet, file = read_sheet(place), _manifest_file(path.name, path.read_bytes())
        settled = sheet_of(manifest, file, sheet.origin, sheet.licences)
        if settled != sheet:
            write_atomically(place, sheet_bytes(settled))


def _manifest_file(name: str, content: bytes) -> ProvenFile:
    return ProvenFile("manifest", name, len(content), hashlib.sha256(content).hexdigest())
