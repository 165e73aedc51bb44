"""Finished packs, each under a key: a hash of everything that decides the pack.

An entry is written beside its place and renamed into it. So two site builds at once, or one that
dies, leave whole entries or none. An entry whose files have changed is built again.
"""

import atexit
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
DAY = 86_400  # seconds; the folder of a job under way is younger


class Cache:
    """A folder of entries. `used`: the keys asked for since the cache was opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.used: set[str] = set()
        self._digests: dict[Path, tuple[tuple[int, ...], str | None]] = {}
        self._spare: Path | None = None

    def find(self, key: str) -> Path | None:
        """The whole entry of `key`, or None."""
        self.used.add(key)
        entries = [folder / "packs" / key for folder in self._folders()]
        return next((entry for entry in entries if is_whole(entry, key, self.digest)), None)

    def digest(self, path: Path) -> str | None:
        """The file's sha256, or None if it cannot be read. Within a process it is computed again
        only for a file that was written meanwhile. No other process is believed: a copied or a
        damaged file may have the size and the times of another one."""
        try:
            stat = path.stat()
        except OSError:
            return None
        facts = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        known = self._digests.get(path)
        if known is None or known[0] != facts:
            known = self._digests[path] = (facts, sha256_of(path))
        return known[1]

    def room(self, note: Callable[[str], None]) -> Path:
        """The folder for new entries: the cache's own or, where that cannot be written, a temporary
        one that lasts as long as this process; then `note` gets the reason.

        Raises:
            PackError: neither can be written.
        """
        if self._spare is None:
            packs = self.folder / "packs"
            try:
                packs.mkdir(parents=True, exist_ok=True)
                Path(tempfile.mkdtemp(prefix="part-", dir=packs)).rmdir()
                return self.folder
            except OSError as error:
                note(f"{packs}: the cache cannot be written ({error.strerror}), so packs are built "
                     "for this time alone; choose another folder with cache_dir or --cache")
            with _writing(self.folder):
                self._spare = Path(tempfile.mkdtemp(prefix="onnxpress-"))
            atexit.register(shutil.rmtree, self._spare, ignore_errors=True)
        return self._spare

    def _folders(self) -> list[Path]:
        return [self.folder, *filter(None, [self._spare])]

    def evict(self, keep: Collection[str] | None = None) -> int:
        """Removes all entries but `keep` (default: the used ones) and the leftovers of dead jobs;
        returns how many."""
        keep = self.used if keep is None else keep
        there = [entry for folder in self._folders() for entry in _inside(folder / "packs")]
        gone = [p for p in there if p.name not in keep]
        old = [p for p in gone if not p.name.startswith("part-") or _age(p) > DAY]
        for entry in old:
            shutil.rmtree(entry, ignore_errors=True)
        return len(old)


def write_entry(folder: Path, key: str, make: Callable[[Path], Any]) -> Path:
    """The entry of `key` in the cache at `folder`, filled by `make`.

    Raises:
        PackError: the cache cannot be written.
    """
    with _part(folder) as part:
        make(part)
        with _writing(folder):
            files = {p.name: sha256_of(p) for p in sorted(part.iterdir())}
            text = json.dumps({"key": key, "files": files})
            (part / LISTING).write_text(text, "utf-8", newline="\n")
        return _put(part, folder, key)


def admit_entry(folder: Path, key: str, fetch: Callable[[Path], Any]) -> Path:
    """The entry of `key` in the cache at `folder`, which `fetch` brings from elsewhere.

    Raises:
        PackError: `fetch` did not bring the whole entry, or the cache cannot be written.
    """
    with _part(folder) as part:
        with _writing(folder):
            fetch(part)
        if not is_whole(part, key):
            raise PackError(f"{key}: the entry is damaged, or has another key")
        return _put(part, folder, key)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """An error of the file system inside is an error of the cache at `folder`."""
    try:
        yield
    except OSError as error:
        raise PackError(f"{folder}: the cache cannot be written: {error.strerror}; choose another "
                        "folder with cache_dir or --cache") from error


@contextmanager
def _part(folder: Path) -> Iterator[Path]:
    """A folder for an entry under way, which is removed if it is still there in the end."""
    with _writing(folder):
        packs = folder / "packs"
        packs.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=packs))
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put(part: Path, folder: Path, key: str) -> Path:
    with _writing(folder):
        _move_folder(part, folder / "packs" / key)
    return folder / "packs" / key


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


def sha256_of(path: Path) -> str | None:
    """The sha256 of the file, or None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def is_whole(entry: Path, key: str, digest: Callable[[Path], str | None] = sha256_of) -> bool:
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


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


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
