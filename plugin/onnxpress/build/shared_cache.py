"""Packs that machines share: one zip file per key below any URL that fsspec knows, or in a folder.

The local cache checks every file of an entry that it reads. An entry that is written appears as a
whole: object stores put whole objects, and a folder gets a finished file by renaming.
"""

import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ..errors import PackError
from .cache import admit_entry

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # a file name without a folder
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # zip has no earlier date; one fixed date gives the same bytes
CHUNK = 1 << 20


def fetch_entry(url: str, key: str, folder: Path, note: Callable[[str], None]) -> Path | None:
    """The entry of `key`, now in the cache at `folder`; None if the store has no whole one.

    A damaged entry is told to `note`.

    Raises:
        PackError: the store cannot be read.
    """
    with _archive_beside(folder) as archive:
        try:
            store, place = _open(url, key)
            store.get_file(place, str(archive))
        except FileNotFoundError:
            return None
        except Exception as error:  # a store's own package may raise anything
            raise PackError(f"{shown(url)}: the shared cache cannot be read ({_words(error)}); "
                            "packs are built here") from error
        try:
            return admit_entry(folder, key, lambda part: _unpack(archive, part))
        except PackError as error:
            note(f"{shown(url)}: {key}.zip is left out ({error}); the pack is built again")
            return None


def store_entry(url: str, key: str, entry: Path) -> None:
    """Puts the entry where `fetch_entry` finds it.

    Raises:
        PackError: the store cannot be written.
    """
    with _archive_beside(entry.parent.parent) as archive:
        try:
            _pack(entry, archive)
            store, place = _open(url, key)
            if isinstance(store, LocalFileSystem):
                _rename_into(Path(place), archive)
            else:
                store.put_file(str(archive), place)
        except Exception as error:  # a store's own package may raise anything
            raise PackError(f"{shown(url)}: the shared cache cannot be written ({_words(error)}); "
                            "packs that are built here stay on this machine") from error


def shown(url: str) -> str:
    """The URL without a user's name and password."""
    return re.sub(r"(://)[^/@]*@", r"\1", url)


def _open(url: str, key: str) -> tuple[Any, str]:
    """(the store, the place of the entry's archive)"""
    store, root = fsspec.core.url_to_fs(url)
    return store, f"{root.rstrip('/')}/{key}.zip"


@contextmanager
def _archive_beside(folder: Path) -> Iterator[Path]:
    """A path for an archive under way, in the cache at `folder`."""
    packs = folder / "packs"
    try:
        packs.mkdir(parents=True, exist_ok=True)
        beside = TemporaryDirectory(prefix="part-", dir=packs, ignore_cleanup_errors=True)
    except OSError as error:
        raise PackError(f"{packs}: the cache cannot be written: {error.strerror}") from error
    with beside as name:
        yield Path(name, "entry.zip")


def _rename_into(place: Path, archive: Path) -> None:
    part = place.with_name(f"{place.name}.{uuid4().hex}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(archive, part)
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _pack(entry: Path, archive: Path) -> None:
    """Zips without compression, because published files are compressed where that pays."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(entry.iterdir()):
            info = zipfile.ZipInfo(path.name, LONG_AGO)
            info.file_size = path.stat().st_size
            with path.open("rb") as source, packed.open(info, "w") as target:
                shutil.copyfileobj(source, target, CHUNK)


def _unpack(archive: Path, folder: Path) -> None:
    """
    Raises:
        PackError: the archive was not written by `_pack`.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                if not PLAIN.fullmatch(info.filename) or info.compress_type != zipfile.ZIP_STORED:
                    raise PackError(f'it holds "{info.filename[:80]}", which no pack has')
                with packed.open(info) as source, (folder / info.filename).open("xb") as target:
                    shutil.copyfileobj(source, target, CHUNK)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError,
            FileExistsError) as error:
        raise PackError(f"it is damaged: {_words(error)}") from error
