"""`onnxpress build`: demos as a folder of pages and packs, for any site generator or none."""

import argparse
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from .. import page
from ..builds import Builds, Built, workers
from ..display import choose_display
from ..errors import PackError
from ..page_numbers import size
from ..publish import pack_files, shared_files
from ..spec import load_demo
from .arguments import models_folder
from .output import say


def run(options: argparse.Namespace) -> None:
    builts = build_demos(options.specs, options)
    write_folder(builts, options.out)
    for built in builts:
        total = sum(path.stat().st_size for path in built.files)
        say(f"{options.out / built.demo.name}.html  {size(total)} in {len(built.files)} files")


def build_demos(specs: Sequence[Path], options: argparse.Namespace) -> list[Built]:
    """The packs of the specs, in their order; `options`: models, cache, jobs."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    demos = [load_demo(spec, models_folder(options.models, spec)) for spec in specs]
    builds = Builds(options.cache.resolve(), workers(options.jobs),
                    choose_display(logging.getLogger("onnxpress")))
    try:
        for demo in demos:
            builds.start(demo)
        return list(builds.join().values())
    finally:
        builds.close()


def write_folder(builts: list[Built], out: Path) -> None:
    """Packs, runtime and one page per demo in `out`; files that are there already stay untouched,
    so nothing that watches the folder wakes up.

    Raises:
        PackError: `out` cannot be written.
    """
    try:
        for url, path in {**shared_files(), **pack_files(builts)}.items():
            _put(out / url, path.read_bytes())
        for built in builts:
            _put(out / f"{built.demo.name}.html", page.standalone(built, "").encode())
    except OSError as error:
        raise PackError(f"{out}: cannot be written: {error.strerror}") from None


def _put(path: Path, content: bytes) -> None:
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    shutil.move(part, path)
