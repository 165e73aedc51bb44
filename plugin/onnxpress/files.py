"""Published files: named by their content, written whole or not at all, verified when read."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import PackError


def write_file(folder: Path, stem: str, content: bytes, suffix: str) -> dict:
    """{"url", "bytes", "sha256"} of the file `stem`-HASH.`suffix`, written whole or not at all."""
    digest = hashlib.sha256(content).hexdigest()
    name = f"{stem}-{digest[:12]}.{suffix}"
    write_atomically(folder / name, content)
    return {"url": name, "bytes": len(content), "sha256": digest}


def write_atomically(path: Path, content: bytes) -> None:
    """Puts `content` at `path` in one step; a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise PackError(f"{path}: cannot be written: {error.strerror}") from error


def read_file(entry: Mapping[str, Any], folder: Path) -> bytes:
    """The content of a manifest's file entry, checked against its sha256."""
    path = folder / entry["url"]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PackError(f"{path}: cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise PackError(f"{path}: its sha256 is not the manifest's; build the pack again")
    return content
