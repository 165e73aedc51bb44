"""Demos -> packs: cached packs at once, the others by jobs in child processes, each built once.

Jobs run in processes and not in threads, because onnxsim may crash and compiling holds the
interpreter's lock.
"""

import os
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import PackError, within
from ..limits import LIMITS, Limits
from ..manifest.demo import Demo as DemoFacts
from ..manifest.manifest import Manifest, read_manifest
from ..manifest.sheet import Origin
from ..model.download import offline
from ..spec import Demo
from .cache import Cache
from .card_sources import first_available
from .display import Display
from .origin import demo_origins
from .pool import Pool
from .worker import Job, Press, run_job


@dataclass(frozen=True)
class Built:
    """A demo and its pack in the cache folder `folder`; `seconds` it took to build, 0 if cached.
    `origin`: what the pack is made of."""

    demo: Demo
    folder: Path
    manifest: Manifest
    seconds: float = 0.0
    origin: Origin = field(default_factory=Origin)

    @property
    def shown(self) -> DemoFacts:
        """What the manifest says of the demo.

        Raises:
            PackError: nothing, for the pack was compiled without a spec.
        """
        if self.manifest.demo is None:
            raise PackError(f"{self.folder}: the manifest has no demo; build the pack again")
        return self.manifest.demo

    @property
    def files(self) -> list[Path]:
        """The files that a visitor may load, without the manifest."""
        keep = {"manifest.json", "entry.json"}
        return sorted(p for p in self.folder.iterdir() if p.name not in keep)


class Builds:
    """The packs of a site build, under way or done.

    `start` may be called again for the same demo. `join` waits for all of them. `concurrency`:
    child processes. `shared`: the URL of a cache behind `folder`, or "". `press`: by default the
    compiler, which only child processes load. `limits`: of each model.
    """

    def __init__(self, folder: Path, concurrency: int, display: Display, shared: str = "",
                 press: Press | None = None, limits: Limits = LIMITS) -> None:
        self.cache = Cache(folder)
        self.shared = shared
        self.concurrency = concurrency
        self.display = display
        self.press = press
        self.limits = limits
        self._pool: Pool | None = None
        self._entries: dict[str, Path | Future[tuple[Path, float]]] = {}
        self._demos: dict[str, tuple[Demo, Sequence[Origin]]] = {}
        self._asked: set[str] = set()
        self._noted: set[str] = set()

    def start(self, demo: Demo) -> None:
        """Finds the demo's pack or begins to build it."""
        origins = demo_origins(demo, self.cache)
        keys = tuple(origin.key for origin in origins)
        self._demos[demo.name] = (demo, origins)
        if keys[0] in self._entries:
            return
        found: Any = self._find(demo, keys)
        if found is None:
            self.display.stage(demo.name, "queued")
            folder = self.cache.room(partial(self._note, "cache"))
            found = self._workers().submit(run_job, Job(
                self.press, demo, keys, folder, self._downloads(demo, folder), self.shared,
                self.limits))
        self._entries[keys[0]] = found

    def _find(self, demo: Demo, keys: tuple[str, ...]) -> Path | None:
        """The cached pack made from the card's first source, or None.

        A pack made from a later source counts only if the sources before it cannot be reached:
        without a network, or after a job of this process has tried them.
        """
        found = self.cache.find(keys[0])
        here = first_available(demo.card, self.cache.folder / "models")
        if found is None and here and (offline() or keys[0] in self._asked):
            found = self.cache.find(keys[here])
        self._asked.add(keys[0])
        return found

    def _downloads(self, demo: Demo, room: Path) -> Path:
        """The folder of downloads: beside new packs, or in a cache that can only be read if all of
        the demo's are there."""
        kept = self.cache.folder / "models"
        pins = [part.sha256 for source in demo.card.sources
                for part in (source, source.weights) if part and part.url and part.sha256]
        return kept if all((kept / pin).is_file() for pin in pins) else room / "models"

    def join(self) -> dict[str, Built]:
        """Demo name -> its pack, in the order of `start`.

        Raises:
            OnnxPressError: of the first demo that failed.
        """
        try:
            return {name: _built(demo, origins, *self._wait(demo, origins[0].key))
                    for name, (demo, origins) in self._demos.items()}
        finally:
            self._demos.clear()
            self.close()

    def close(self) -> None:
        """Stops the child processes; `start` may be called again."""
        if self._pool:
            self._pool.close()
            self._pool = None
        self._entries.clear()
        self.display.close()

    def _wait(self, demo: Demo, key: str) -> tuple[Path, float]:
        entry = self._entries[key]
        if isinstance(entry, Path):
            return entry, 0.0
        with within(demo.where):
            folder, seconds = entry.result()
        self.cache.used.add(folder.name)
        return folder, seconds

    def _workers(self) -> Pool:
        if self._pool is None:
            self._pool = Pool(self.concurrency, self._hear, self.limits)
        return self._pool

    def _hear(self, kind: str, *facts: Any) -> None:
        if kind == "note":
            self._note(*facts)
        else:
            getattr(self.display, kind)(*facts)

    def _note(self, about: str, text: str) -> None:
        """Shows a note once per `about`; a shared cache that cannot be read is not used again."""
        if about not in self._noted:
            self._noted.add(about)
            self.display.note(text)
        if about == "read":
            self.shared = ""


def workers(asked: int) -> int:
    """The number of child processes: `asked`, or one per processor if that is 0. Windows waits for
    61 at most."""
    return min(asked or os.cpu_count() or 1, 61)


def _built(demo: Demo, origins: Sequence[Origin], folder: Path, seconds: float) -> Built:
    """The pack in `folder`, whose name is its key."""
    origin = next((one for one in origins if one.key == folder.name), Origin())
    return Built(demo, folder, read_manifest(folder / "manifest.json"), seconds, origin)
