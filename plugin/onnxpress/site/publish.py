"""The files that a site publishes under assets/onnxpress/: the runtime once, and all packs.

All packs share one folder, so a shard that two demos have in common is one file.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ..build.builds import Built
from ..files import entry_of, json_bytes
from ..manifest.generated import SCHEMA, SHEET_SCHEMA
from ..manifest.manifest import OneFile, manifest_bytes
from ..manifest.sheet import Sheet, sheet_bytes
from ..pack.values import from_json
from ..runtime import runtime_files
from ..spec.schema import schema_files
from .export import MAX_BYTES, one_file
from .proof_sheet import FOLDER, INDEX, built_sheet

ASSETS = "assets/onnxpress/"
HERE = Path(__file__).parent
HASHED = re.compile(r"-[0-9a-f]{12}$")


def shared_files() -> dict[str, Path | bytes]:
    """URL below ASSETS -> path or content of the runtime, the pages' style and the schemas."""
    files: dict[str, Path | bytes] = dict(runtime_files())
    files["pages.css"] = HERE / "templates" / "pages.css"
    files |= {f"schema/{name}": content for name, content in schema_files().items()}
    files |= {f"schema/{path.name}": path for path in (SCHEMA, SHEET_SCHEMA)}
    return files


def pack_files(builts: Iterable[Built]) -> dict[str, Path | bytes]:
    """URL below ASSETS -> path or content of every pack's files, and the list of the packs."""
    builts, files = list(builts), dict[str, Path | bytes]()
    files[INDEX] = json_bytes([built.demo.name for built in builts])
    for built in builts:
        files |= {f"demos/{path.name}": path for path in built.files}
        files |= _page_files(built)
    return files


def _page_files(built: Built) -> dict[str, bytes]:
    """The files that pages add to the pack: the one-file page's list of parts, the manifest, and
    the proof sheet.

    The published manifest names the list in "oneFile". The manifest inside that page does not.
    """
    name, page = built.demo.name, one_file(built)
    manifest, files = built.manifest, {}
    content = (built.folder / "manifest.json").read_bytes()
    if page.total <= MAX_BYTES:
        parts = page.published()
        entry = entry_of(f"{name}-page", parts, "json")
        whole = OneFile(entry.url, entry.bytes, entry.sha256, page.total)
        manifest = replace(manifest, one_file=whole)
        content = manifest_bytes(manifest)
        files[f"demos/{entry.url}"] = parts
    sheet = built_sheet(built, manifest, content)
    return {**files, f"demos/{name}.json": content, f"{FOLDER}{name}.json": sheet_bytes(sheet)}


def sheets_in(files: Mapping[str, Path | bytes]) -> dict[str, Sheet]:
    """Demo name -> its proof sheet, read from the files of `pack_files`."""
    return {PurePosixPath(url).stem: from_json(Sheet, json.loads(content), url)
            for url, content in files.items()
            if url.startswith(FOLDER) and isinstance(content, bytes) and url.endswith(".json")}


def published_packs(folder: Path) -> dict[str, Path]:
    """Demo name -> manifest in an assets folder. WebGPU programs are JSON too, but have a hash in
    their names."""
    return {path.stem: path for path in sorted((folder / "demos").glob("*.json"))
            if not HASHED.search(path.stem)}
