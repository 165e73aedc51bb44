"""Demos -> packs: cached ones at once, the others in child processes, each built once.

onnxsim may crash and compilation holds the interpreter's lock, so processes, not threads; they are
spawned, so no state of the host is copied.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

from .cache import Cache, key_of, write_entry
from .errors import OnnxPressError, PackError
from .spec import Card, Demo, Source
from .spec.files import package_path

Press = Callable[[Demo, Path, Path, Callable[[str], None]], Any]
PROSE = ("where", "description", "card", "samples")


class Display(Protocol):
    """Shows what builds are at."""

    def stage(self, name: str, stage: str) -> None: ...
    def done(self, name: str, seconds: float) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Built:
    """A demo and its pack in the cache; `files` are what visitors may load, manifest excepted."""

    demo: Demo
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def files(self) -> list[Path]:
        keep = {"manifest.json", "entry.json"}
        return sorted(p for p in self.folder.iterdir() if p.name not in keep)


class Builds:
    """Builds in flight. `start` may be called for the same demo again; `join` returns them all."""

    def __init__(self, folder: Path, concurrency: int, display: Display,
                 press: Press | None = None) -> None:
        self.cache = Cache(folder)
        self.downloads = folder / "models"
        self.concurrency = concurrency
        self.display = display
        self.press = press or _press_demo
        self._pool: ProcessPoolExecutor | None = None
        self._queue: Any = None
        self._entries: dict[str, Path | Future[Path]] = {}
        self._demos: dict[str, tuple[Demo, str]] = {}

    def start(self, demo: Demo) -> None:
        """Finds the demo's pack or begins to build it."""
        key = demo_key(demo, self.cache, self.downloads)
        self._demos[demo.name] = (demo, key)
        if key in self._entries:
            return
        found = self.cache.find(key)
        if found is None:
            self.display.stage(demo.name, "queued")
            found = self._workers().submit(_build, self.press, self.cache.folder, key, demo,
                                           self.downloads)
        self._entries[key] = found

    def join(self) -> dict[str, Built]:
        """Demo name -> its pack, in the order of `start`.

        Raises:
            OnnxPressError: of the first demo that failed.
        """
        try:
            return {name: _built(demo, self._wait(demo, key))
                    for name, (demo, key) in self._demos.items()}
        finally:
            self._demos.clear()
            self.close()

    def close(self) -> None:
        """Stops the workers and keeps the cache's memory; another `start` opens them again."""
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._queue.put(None)
            self._pool = None
        self._entries.clear()
        self.display.close()
        self.cache.save()

    def _wait(self, demo: Demo, key: str) -> Path:
        entry = self._entries[key]
        if isinstance(entry, Path):
            return entry
        try:
            return entry.result()
        except BrokenProcessPool:
            raise PackError(f"{demo.where}: the compiling process ended without a word; "
                            "it may have run out of memory") from None

    def _workers(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._queue = context.SimpleQueue()
            self._pool = ProcessPoolExecutor(self.concurrency, mp_context=context,
                                             initializer=_listen, initargs=(self._queue,))
            Thread(target=self._report, args=(self._queue,), daemon=True).start()
        return self._pool

    def _report(self, queue: Any) -> None:
        while (event := queue.get()) is not None:
            name, stage, seconds = event
            if stage:
                self.display.stage(name, stage)
            else:
                self.display.done(name, seconds)


def workers(asked: int) -> int:
    """`asked` processes, or one less than the processors if it is 0."""
    return asked or max(1, (os.cpu_count() or 2) - 1)


def demo_key(demo: Demo, cache: Cache, downloads: Path) -> str:
    """The cache key: all that decides the pack. Prose changes pages, not packs."""
    plain = {k: v for k, v in asdict(demo).items() if k not in PROSE}
    files = [*_source_files(demo.card, downloads), *(s.path for s in demo.samples)]
    return key_of({
        "demo": plain,
        "sources": [_pinned(source) for source in demo.card.sources],
        "samples": [[s.title, s.licence, s.author, s.source] for s in demo.samples],
        "files": [cache.digest(path) for path in files],
    })


def _source_files(card: Card, downloads: Path) -> list[Path]:
    """The local files that decide the model's content. A URL's file is one once it is there; its
    pin stands in the card in any case."""
    files: dict[Path, None] = {}
    for source in card.sources:
        for part in filter(None, (source, source.weights)):
            found = [part.file] if part.file else []
            if part.package:
                found.append(package_path(part.package, part.where))
            if part.recipe:
                found.extend(sorted(part.recipe.parent.glob("*.py")))
            if part.sha256 and (downloads / part.sha256).is_file():
                found.append(downloads / part.sha256)
            files.update(dict.fromkeys(found))
    return list(files)


def _pinned(source: Source | None) -> dict[str, Any] | None:
    """The source without this machine's paths."""
    if source is None:
        return None
    plain = asdict(source)
    plain.update(where="", file=source.file and source.file.name,
                 recipe=source.recipe and source.recipe.name, weights=_pinned(source.weights))
    return plain


def _built(demo: Demo, folder: Path) -> Built:
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    return Built(demo, folder, manifest)


# --- in a child process ---------------------------------------------------------------------------

_events: Any = None


def _listen(queue: Any) -> None:
    global _events
    _events = queue


def _build(press: Press, folder: Path, key: str, demo: Demo, downloads: Path) -> Path:
    begin = time.monotonic()
    try:
        entry = write_entry(folder, key, lambda part: press(
            demo, part, downloads, lambda stage: _events.put((demo.name, stage, 0.0))))
    except OnnxPressError as error:
        if str(error).startswith(demo.where):
            raise
        raise type(error)(f"{demo.where}: {error}") from None
    _events.put((demo.name, "", time.monotonic() - begin))
    return entry


def _press_demo(demo: Demo, folder: Path, downloads: Path, progress: Callable[[str], None]) -> Any:
    from .demo import press_demo  # the compiler is loaded in the children only

    return press_demo(demo, folder, downloads, progress)
