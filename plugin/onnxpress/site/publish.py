"""The files that a site publishes under assets/onnxpress/: the runtime once, and all packs.

All packs share one folder, so a shard that two demos have in common is one file.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..build.builds import Built
from ..files import entry_of
from ..manifest.generated import SCHEMA
from ..manifest.manifest import OneFile, manifest_bytes
from ..runtime import runtime_files
from ..spec.schema import schema_files
from .export import MAX_BYTES, one_file

ASSETS = "assets/onnxpress/"
HERE = Path(__file__).parent
HASHED = re.compile(r"-[0-9a-f]{12}$")


def shared_files() -> dict[str, Path | bytes]:
    """URL below ASSETS -> path or content of the runtime, the pages' style and the schemas."""
    files: dict[str, Path | bytes] = dict(runtime_files())
    files["pages.css"] = HERE / "templates" / "pages.css"
    files |= {f"schema/{name}": content for name, content in schema_files().items()}
    files[f"schema/{SCHEMA.name}"] = SCHEMA
    return files


def pack_files(builts: Iterable[Built]) -> dict[str, Path | bytes]:
    """URL below ASSETS -> path or content of every pack's files."""
    files: dict[str, Path | bytes] = {}
    for built in builts:
        files |= {f"demos/{path.name}": path for path in built.files}
        files |= {f"demos/{name}": content for name, content in _page_files(built).items()}
    return files


def _page_files(built: Built) -> dict[str, bytes]:
    """The files that pages add to the pack: the one-file page's list of parts, and the manifest.

    The published manifest names the list in "oneFile". The manifest inside that page does not.
    """
    name, page = built.demo.name, one_file(built)
    if page.total > MAX_BYTES:
        return {f"{name}.json": (built.folder / "manifest.json").read_bytes()}
    parts = page.published()
    entry = entry_of(f"{name}-page", parts, "json")
    whole = OneFile(entry.url, entry.bytes, entry.sha256, page.total)
    manifest = replace(built.manifest, one_file=whole)
    return {f"{name}.json": manifest_bytes(manifest), entry.url: parts}


def published_packs(folder: Path) -> dict[str, Path]:
    """Demo name -> manifest in an assets folder. WebGPU programs are JSON too, but have a hash in
    their names."""
    return {path.stem: path for path in sorted((folder / "demos").glob("*.json"))
            if not HASHED.search(path.stem)}
