"""One demo's pack in a child process: from the shared cache, or compiled and proven here."""

import ctypes
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OnnxPressError, PackError
from ..spec import Demo
from ..words import size
from .cache import is_whole, write_entry
from .sources import first_available

FOUND = "found again"
M_MMAP_THRESHOLD = -3  # malloc.h

Press = Callable[[Demo, Path, Path, Callable[..., None]], Any]


@dataclass(frozen=True)
class Task:
    """What a worker is asked for. `keys[n]` is the key of the pack made from the card's source n,
    `shared` the URL of the cache behind `folder`, or empty."""

    press: Press
    demo: Demo
    keys: tuple[str, ...]
    folder: Path
    shared: str

    @property
    def downloads(self) -> Path:
        return self.folder / "models"


_events: Any = None
_unreadable: set[str] = set()  # shared caches


def listen(queue: Any) -> None:
    """Sends what happens in this process to `queue`: ("stage", name, stage, part, detail),
    ("done", name, how, seconds), ("note", about, text)."""
    global _events
    _events = queue
    # Of BLAS, read when numpy is loaded: threads that wait for each other are slower than one alone
    # where other workers or programs take the processors.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _return_freed_memory()


def _return_freed_memory() -> None:
    """Tells glibc's malloc to map every array of 8 MiB and more by itself. By default it learns to
    keep larger ones on its heap, where small ones behind them hold hundreds of MB; mapping all of 1
    MiB costs a fifth of the time."""
    with suppress(AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 8 << 20)


def build_task(task: Task) -> tuple[Path, float]:
    """The entry of the first source that serves, and the seconds it took, 0 if it was here."""
    begin, demo = time.monotonic(), task.demo
    try:
        index = first_available(demo.card, task.downloads, lambda done, total: _stage(
            demo, "downloading", done / total if total else None, size(done)))
        entry, how = _entry(task, task.keys[index])
    except OnnxPressError as error:
        if str(error).startswith(demo.where):
            raise
        raise type(error)(f"{demo.where}: {error}") from None
    seconds = time.monotonic() - begin
    _events.put(("done", demo.name, how, seconds))
    return entry, 0.0 if how == FOUND else seconds


def _entry(task: Task, key: str) -> tuple[Path, str]:
    """The entry and how it was had."""
    entry = task.folder / "packs" / key
    if is_whole(entry, key):
        return entry, FOUND
    found = task.shared and _ask_shared("fetch_entry", task, key, task.folder, _note_damage)
    if found:
        return found, "taken from the shared cache"
    entry = write_entry(task.folder, key, lambda part: task.press(
        task.demo, part, task.downloads, lambda *stage: _stage(task.demo, *stage)))
    if task.shared:
        _ask_shared("store_entry", task, key, entry)
    return entry, "compiled and proven"


def _ask_shared(name: str, task: Task, *arguments: Any) -> Any:
    """What a function of build/shared_cache.py returns; None and a note if the store fails."""
    from . import shared_cache  # fsspec is loaded where a shared cache is

    if task.shared in _unreadable:
        return None
    try:
        return getattr(shared_cache, name)(task.shared, *arguments)
    except PackError as error:
        about = {"fetch_entry": "read", "store_entry": "write"}[name]
        if about == "read":
            _unreadable.add(task.shared)
        _events.put(("note", about, str(error)))
        return None


def _note_damage(text: str) -> None:
    _events.put(("note", text, text))


def _stage(demo: Demo, *stage: Any) -> None:
    _events.put(("stage", demo.name, *stage))


def press_demo(demo: Demo, folder: Path, downloads: Path, progress: Callable[..., None]) -> Any:
    """As `demo.press_demo`."""
    from ..demo.demo import press_demo as press  # the compiler is loaded in the workers only

    return press(demo, folder, downloads, progress)
