"""Finished packs, each under a key: a hash of everything that decides the pack.

An entry is written beside its place and renamed into it. So two site builds at once, or one that
dies, leave whole entries or none. An entry whose files have changed is built again.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..errors import PackError

PACKAGE = Path(__file__).parents[1]
# Folders of the package that do not decide the content of packs.
SURROUNDINGS = {"__pycache__", "build", "cli", "runtime", "schema", "site"}
TOOLS = ("jinja2", "numpy", "onnx", "onnxruntime", "onnxsim", "pillow", "wasmtime")
FRONTENDS = ("keras", "onnxscript", "tensorflow", "tf2onnx", "torch")
LISTING = "entry.json"  # {"key", "files": file name -> sha256}
DIGESTS = "digests.json"
DAY = 86_400  # seconds; the folder of a job under way is younger


class Cache:
    """A folder of entries. `used`: the keys asked for since the cache was opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.used: set[str] = set()
        self._digests: dict[str, list] = _read_json(folder / DIGESTS) or {}
        self._changed = False

    def find(self, key: str) -> Path | None:
        """The whole entry of `key`, or None."""
        self.used.add(key)
        entry = self.folder / "packs" / key
        return entry if is_whole(entry, key, self.digest) else None

    def digest(self, path: Path) -> str | None:
        """The file's sha256, or None if it cannot be read; remembered by size and mtime."""
        try:
            facts = path.stat()
        except OSError:
            return None
        known = self._digests.get(str(path))
        if known and known[:2] == [facts.st_size, facts.st_mtime_ns]:
            return known[2]
        sha = _sha256(path)
        self._digests[str(path)] = [facts.st_size, facts.st_mtime_ns, sha]
        self._changed = True
        return sha

    def save(self) -> None:
        """Writes the digests of files that still exist."""
        if self._changed:
            alive = {k: v for k, v in sorted(self._digests.items()) if Path(k).exists()}
            _replace(self.folder / DIGESTS, json.dumps(alive).encode())
            self._changed = False

    def evict(self, keep: Collection[str] | None = None) -> int:
        """Removes all entries but `keep` (default: the used ones) and the leftovers of dead jobs;
        returns how many."""
        keep = self.used if keep is None else keep
        packs = self.folder / "packs"
        gone = [p for p in packs.iterdir() if p.name not in keep] if packs.is_dir() else []
        old = [p for p in gone if not p.name.startswith("part-") or _age(p) > DAY]
        for entry in old:
            shutil.rmtree(entry, ignore_errors=True)
        return len(old)


def write_entry(folder: Path, key: str, make: Callable[[Path], Any]) -> Path:
    """The entry of `key` in the cache at `folder`, filled by `make`.

    Raises:
        PackError: the cache cannot be written.
    """
    def listed(part: Path) -> None:
        make(part)
        files = {p.name: _sha256(p) for p in sorted(part.iterdir())}
        _replace(part / LISTING, json.dumps({"key": key, "files": files}).encode())

    return _put(folder, key, listed)


def admit_entry(folder: Path, key: str, fetch: Callable[[Path], Any]) -> Path:
    """The entry of `key` in the cache at `folder`, which `fetch` brings from elsewhere.

    Raises:
        PackError: `fetch` did not bring the whole entry, or the cache cannot be written.
    """
    def checked(part: Path) -> None:
        fetch(part)
        if not is_whole(part, key):
            raise PackError(f"{key}: the entry is damaged, or has another key")

    return _put(folder, key, checked)


def _put(folder: Path, key: str, fill: Callable[[Path], None]) -> Path:
    packs = folder / "packs"
    entry = packs / key
    try:
        packs.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=packs))
    except OSError as error:
        raise PackError(f"{packs}: the cache cannot be written: {error.strerror}") from error
    try:
        fill(part)
        _move_folder(part, entry)
    except OSError as error:
        raise PackError(f"{entry}: the cache cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return entry


def key_of(parts: Mapping[str, Any]) -> str:
    """The key of an entry made from `parts` (JSON values) by this version of the code."""
    text = json.dumps({**parts, "code": code_version()}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@cache
def code_version() -> str:
    """A hash of the package's own compiler sources and of the versions of its tools."""
    total = hashlib.sha256()
    total.update(versions(TOOLS).encode())
    for path in _sources(PACKAGE):
        total.update(path.relative_to(PACKAGE).as_posix().encode() + b"\n" + path.read_bytes())
    return total.hexdigest()


def _sources(folder: Path) -> list[Path]:
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name in SURROUNDINGS:
            continue
        found.extend(_sources(path) if path.is_dir() else [path])
    return found


def versions(tools: Sequence[str]) -> str:
    """One line "NAME=VERSION" per Python package; "NAME=absent" if it is not installed."""
    lines = ""
    for tool in tools:
        try:
            lines += f"{tool}={version(tool)}\n"
        except PackageNotFoundError:
            lines += f"{tool}=absent\n"
    return lines


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def is_whole(entry: Path, key: str, digest: Callable[[Path], str | None] = _sha256) -> bool:
    """Whether the folder holds exactly the files that were written under `key`."""
    listing = _read_json(entry / LISTING)
    try:
        files = dict(listing["files"])
        there = {path.name for path in entry.iterdir()} - {LISTING}
        return listing["key"] == key and there == set(files) and all(
            digest(entry / name) == sha for name, sha in files.items())
    except (OSError, TypeError, ValueError, KeyError):
        return False


def _move_folder(source: Path, target: Path) -> None:
    """Renames `source` to `target`. A whole `target` from another process stays, for it may be in
    use; a damaged one is replaced."""
    try:
        source.rename(target)
    except OSError:
        if is_whole(target, target.name):
            return
        target.rename(target.with_name(f"part-old-{source.name}"))
        source.rename(target)


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(content)
    part.replace(path)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
