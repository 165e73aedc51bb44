"""Demos -> packs: cached ones at once, the others in child processes, each built once.

onnxsim may crash and compilation holds the interpreter's lock, so processes, not threads; they are
spawned, so no state of the host is copied.
"""

import json
import multiprocessing
import os
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from ..errors import PackError
from ..model.download import offline
from ..spec import Demo
from .cache import Cache, key_of
from .display import Display
from .sources import first_available, local_files, pinned
from .worker import Press, Task, build_task, listen, press_demo

PROSE = ("where", "description", "card", "samples")


@dataclass(frozen=True)
class Built:
    """A demo and its pack in the cache; `files` are what visitors may load, manifest excepted.
    `seconds` is what it took to get the pack, 0 if it was here."""

    demo: Demo
    folder: Path
    manifest: Mapping[str, Any]
    seconds: float = 0.0

    @property
    def files(self) -> list[Path]:
        keep = {"manifest.json", "entry.json"}
        return sorted(p for p in self.folder.iterdir() if p.name not in keep)


class Builds:
    """Builds in flight. `start` may be called for the same demo again; `join` returns them all."""

    def __init__(self, folder: Path, concurrency: int, display: Display, shared: str = "",
                 press: Press | None = None) -> None:
        self.cache = Cache(folder)
        self.shared = shared
        self.concurrency = concurrency
        self.display = display
        self.press = press or press_demo
        self._pool: ProcessPoolExecutor | None = None
        self._queue: Any = None
        self._entries: dict[str, Path | Future[tuple[Path, float]]] = {}
        self._demos: dict[str, tuple[Demo, str]] = {}
        self._asked: set[str] = set()
        self._noted: set[str] = set()

    def start(self, demo: Demo) -> None:
        """Finds the demo's pack or begins to build it."""
        keys = demo_keys(demo, self.cache)
        self._demos[demo.name] = (demo, keys[0])
        if keys[0] in self._entries:
            return
        found: Any = self._find(demo, keys)
        if found is None:
            self.display.stage(demo.name, "queued")
            found = self._workers().submit(
                build_task, Task(self.press, demo, keys, self.cache.folder, self.shared))
        self._entries[keys[0]] = found

    def _find(self, demo: Demo, keys: tuple[str, ...]) -> Path | None:
        """The pack of the card's first source; that of a later one only where no source before it
        can be had: without a network, or if a worker has asked for them in this process."""
        found = self.cache.find(keys[0])
        here = first_available(demo.card, self.cache.folder / "models")
        if found is None and here and (offline() or keys[0] in self._asked):
            found = self.cache.find(keys[here])
        self._asked.add(keys[0])
        return found

    def join(self) -> dict[str, Built]:
        """Demo name -> its pack, in the order of `start`.

        Raises:
            OnnxPressError: of the first demo that failed.
        """
        try:
            return {name: _built(demo, *self._wait(demo, key))
                    for name, (demo, key) in self._demos.items()}
        finally:
            self._demos.clear()
            self.close()

    def close(self) -> None:
        """Stops the workers and keeps the cache's memory; another `start` opens them again."""
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._queue.put(None)
            self._reports.join(5)  # what is left to show; a worker that died may have cut it
            self._pool = None
        self._entries.clear()
        self.display.close()
        self.cache.save()

    def _wait(self, demo: Demo, key: str) -> tuple[Path, float]:
        entry = self._entries[key]
        if isinstance(entry, Path):
            return entry, 0.0
        try:
            folder, seconds = entry.result()
        except BrokenProcessPool:
            raise PackError(f"{demo.where}: the compiling process ended without a word; "
                            "it may have run out of memory") from None
        self.cache.used.add(folder.name)
        return folder, seconds

    def _workers(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._queue = context.SimpleQueue()
            self._pool = ProcessPoolExecutor(self.concurrency, mp_context=context,
                                             initializer=listen, initargs=(self._queue,))
            self._reports = Thread(target=self._report, args=(self._queue,), daemon=True)
            self._reports.start()
        return self._pool

    def _report(self, queue: Any) -> None:
        while (event := queue.get()) is not None:
            kind, *facts = event
            if kind == "note":
                self._note(*facts)
            else:
                getattr(self.display, kind)(*facts)

    def _note(self, about: str, text: str) -> None:
        """Once for each `about`; a shared cache that cannot be read is not asked again."""
        if about not in self._noted:
            self._noted.add(about)
            self.display.note(text)
        if about == "read":
            self.shared = ""


def workers(asked: int) -> int:
    """`asked` processes, or one for each processor if it is 0."""
    return asked or os.cpu_count() or 1


def demo_keys(demo: Demo, cache: Cache) -> tuple[str, ...]:
    """For each of the card's sources the cache key of the pack it gives: all that decides it. Prose
    changes pages, not packs; a pack says which sources before its own could not be had."""
    plain = {k: v for k, v in asdict(demo).items() if k not in PROSE}
    sources = demo.card.sources
    return tuple(key_of({
        "demo": plain,
        "sources": [pinned(source) for source in sources[: n + 1]],
        "samples": [[s.title, s.licence, s.author, s.source] for s in demo.samples],
        "files": [cache.digest(path) for path in (*local_files(sources[n]),
                                                  *(s.path for s in demo.samples))],
    }) for n in range(len(sources)))


def _built(demo: Demo, folder: Path, seconds: float) -> Built:
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    return Built(demo, folder, manifest, seconds)
