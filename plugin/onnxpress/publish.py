"""What a site publishes under assets/onnxpress/: the runtime once, then packs side by side.

All packs share one folder, so a shard that two demos have in common is one file.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from .builds import Built
from .runtime_files import runtime_files

ASSETS = "assets/onnxpress/"
HERE = Path(__file__).parent
HASHED = re.compile(r"-[0-9a-f]{12}$")


def shared_files() -> dict[str, Path]:
    """URL relative to ASSETS -> file: the browser runtime, the pages' style, the schemas."""
    files = dict(runtime_files())
    files["pages.css"] = HERE / "templates" / "pages.css"
    files |= {f"schema/{p.name}": p for p in sorted((HERE / "schema").glob("*.json"))}
    return files


def pack_files(builts: Iterable[Built]) -> dict[str, Path]:
    """URL relative to ASSETS -> file, for every pack."""
    files = {}
    for built in builts:
        files[f"demos/{built.demo.name}.json"] = built.folder / "manifest.json"
        files |= {f"demos/{path.name}": path for path in built.files}
    return files


def published_packs(folder: Path) -> dict[str, Path]:
    """Demo name -> manifest, in an assets folder; programs for WebGPU are JSON too, with a hash in
    their names."""
    return {path.stem: path for path in sorted((folder / "demos").glob("*.json"))
            if not HASHED.search(path.stem)}
