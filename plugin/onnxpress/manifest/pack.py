"""A finished pack: a folder of content-hashed files, and the manifest that names them."""

from dataclasses import dataclass
from pathlib import Path

from ..files import write_atomically
from .manifest import Manifest, manifest_bytes


@dataclass(frozen=True)
class Pack:
    """A finished folder. `files` are what a page loads; the manifest is the last one."""

    folder: Path
    manifest: Manifest
    files: tuple[Path, ...]


def finish(manifest: Manifest, folder: Path) -> Pack:
    """The pack whose other files are in `folder`; its manifest is written now.

    Raises:
        PackError: the manifest cannot be written.
    """
    path = folder / "manifest.json"
    write_atomically(path, manifest_bytes(manifest))
    files = dict.fromkeys(folder / file.url for file in manifest.files())
    return Pack(folder, manifest, (*files, path))
