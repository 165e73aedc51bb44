"""Published files: named by their content, written whole or not at all, verified when read."""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import PackError


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One published file; its name carries a hash of its content."""

    url: str
    bytes: int
    sha256: str
    """hexadecimal"""


def write_file(folder: Path, stem: str, content: bytes, suffix: str) -> FileEntry:
    """The entry of the file `stem`-HASH.`suffix`, which is now in `folder`.

    Raises:
        PackError: it cannot be written.
    """
    entry = entry_of(stem, content, suffix)
    write_atomically(folder / entry.url, content)
    return entry


def entry_of(stem: str, content: bytes, suffix: str) -> FileEntry:
    """The entry of the file that `write_file` would write."""
    digest = hashlib.sha256(content).hexdigest()
    return FileEntry(f"{stem}-{digest[:12]}.{suffix}", len(content), digest)


def write_atomically(path: Path, content: bytes) -> None:
    """Puts `content` at `path` in one step; a reader sees the old file or the new one."""
    write_chunks(path, [content])


def write_chunks(path: Path, chunks: Iterable[bytes]) -> None:
    """As `write_atomically`, in chunks, for content too large to hold in memory."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.writelines(chunks)
        part.replace(path)
    except OSError as error:
        raise PackError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            part.unlink()


def json_bytes(value: Any) -> bytes:
    """The value as the compact JSON that is published.

    Raises:
        PackError: it holds a number that is not finite, or text that is not Unicode.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()
    except ValueError as error:
        raise PackError(f"this cannot be published as JSON: {error}; a result or an option is "
                        "not a finite number") from error


def read_file(entry: FileEntry, folder: Path) -> bytes:
    """The content of the file that the manifest's `entry` describes.

    Raises:
        PackError: the file cannot be read, or its sha256 is not the entry's.
    """
    path = folder / entry.url
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PackError(f"{path}: cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise PackError(f"{path}: its sha256 is not the manifest's; build the pack again")
    return content
