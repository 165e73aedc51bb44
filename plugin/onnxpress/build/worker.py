"""A job in a child process: one demo's pack, from the shared cache or compiled and proven here."""

import ctypes
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PackError, within
from ..limits import Limits
from ..spec import Demo
from ..words import size
from .cache import is_whole, write_entry
from .card_sources import first_available
from .pool import Tell

FOUND = "found again"
M_MMAP_THRESHOLD = -3  # malloc.h

# (demo, folder of the pack, folder of downloads, progress, limits) -> anything; fills the folder.
Press = Callable[[Demo, Path, Path, Callable[..., None], Limits], Any]


@dataclass(frozen=True)
class Job:
    """One demo's pack for the cache at `folder`.

    `keys[n]`: the cache key of the pack made from the card's source n. `downloads`: the folder of
    models from the web. `shared`: the URL of a cache behind `folder`, or "". `press`: None for the
    compiler.
    """

    press: Press | None
    demo: Demo
    keys: tuple[str, ...]
    folder: Path
    downloads: Path
    shared: str
    limits: Limits


_unreadable: set[str] = set()  # shared caches


def prepare() -> None:
    """Prepares this child process."""
    # numpy's BLAS reads this when it is loaded. Several threads that wait for each other are slower
    # than one thread where other processes use the processors.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _return_freed_memory()


def _return_freed_memory() -> None:
    """Tells glibc's malloc to map every array of 8 MiB or more on its own.

    By default malloc learns to keep such arrays on its heap. Small arrays behind them then hold
    back hundreds of MB. Mapping arrays from 1 MiB on costs a fifth of the compile time.
    """
    with suppress(AttributeError, TypeError):  # another C library has no mallopt
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 8 << 20)


def run_job(tell: Tell, job: Job) -> tuple[Path, float]:
    """The cache entry for the first source that can be reached, and the seconds it took.

    The seconds are 0 if the entry was in the cache. Events: ("stage", name, stage, part, detail),
    ("done", name, how, seconds), ("note", about, text).

    Raises:
        OnnxPressError: the demo cannot be built; the message names the spec.
    """
    prepare()
    begin, demo = time.monotonic(), job.demo
    with within(demo.where):
        index = first_available(demo.card, job.downloads, lambda done, total: tell(
            "stage", demo.name, "downloading", done / total if total else None, size(done)))
        entry, how = _entry(tell, job, job.keys[index])
    seconds = time.monotonic() - begin
    tell("done", demo.name, how, seconds)
    return entry, 0.0 if how == FOUND else seconds


def _entry(tell: Tell, job: Job, key: str) -> tuple[Path, str]:
    """The entry of `key`, and where it came from in words."""
    entry = job.folder / "packs" / key
    if is_whole(entry, key):
        return entry, FOUND
    found = job.shared and _ask_shared(tell, "fetch_entry", job, key, job.folder,
                                       lambda text: tell("note", text, text))
    if found:
        return found, "taken from the shared cache"
    press = job.press or _compiler()
    entry = write_entry(job.folder, key, lambda part: press(
        job.demo, part, job.downloads, lambda *stage: tell("stage", job.demo.name, *stage),
        job.limits))
    if job.shared:
        _ask_shared(tell, "store_entry", job, key, entry)
    return entry, "compiled and proven"


def _ask_shared(tell: Tell, name: str, job: Job, *arguments: Any) -> Any:
    """The result of a function of build/shared_cache.py; None and a note if the store fails."""
    from . import shared_cache  # loads fsspec, only where there is a shared cache

    if job.shared in _unreadable:
        return None
    try:
        return getattr(shared_cache, name)(job.shared, *arguments)
    except PackError as error:
        about = {"fetch_entry": "read", "store_entry": "write"}[name]
        if about == "read":
            _unreadable.add(job.shared)
        tell("note", about, str(error))
        return None


def _compiler() -> Press:
    from ..demo.demo import press_demo  # loads the compiler, only in child processes

    return press_demo
