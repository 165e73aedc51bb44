"""`onnxpress build`: demos as a folder of pages and packs, for any site generator or none."""

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..build.builds import Builds, Built, workers
from ..errors import PackError
from ..site import page
from ..site.proof_sheet import FOLDER
from ..site.publish import pack_files, shared_files, sheets_in
from ..site.sizes import size_table, sizes_of, total_json
from .arguments import read_spec
from .output import open_display, say, say_json


def run(options: argparse.Namespace) -> None:
    begin = time.monotonic()
    builts = build_demos(options.specs, options)
    write_folder(builts, options.out)
    seconds = time.monotonic() - begin
    rows = [sizes_of(built.manifest) for built in builts]
    if options.json:
        say_json({"demos": [{**demo_json(built), "page": str(page_path(built, options.out))}
                            for built in builts],
                  "total": total_json(rows), "seconds": round(seconds, 3)})
        return
    say(size_table(rows))
    say(f"{options.out}: {len(builts)} page{'s'[:len(builts) > 1]} in {seconds:.1f} s")


def demo_json(built: Built) -> dict[str, Any]:
    """A demo's facts for --json; `seconds` is 0 for a pack that was in the cache."""
    return {**sizes_of(built.manifest).json(), "seconds": round(built.seconds, 3)}


def page_path(built: Built, out: Path) -> Path:
    return out / f"{built.demo.name}.html"


def build_demos(specs: Sequence[Path], options: argparse.Namespace) -> list[Built]:
    """One pack per spec, in the same order. Reads `models`, `recipes`, `cache`,
    `jobs` and `limits` of `options`."""
    demos = [read_spec(spec, options.models, options.recipes) for spec in specs]
    folder, shared = options.cache
    builds = Builds(folder.resolve(), workers(options.jobs), open_display(), shared,
                    limits=options.limits)
    try:
        for demo in demos:
            builds.start(demo)
        return list(builds.join().values())
    finally:
        builds.close()


def write_folder(builts: list[Built], out: Path) -> None:
    """Writes packs, runtime and one page per demo to `out`.

    Files that are there already stay untouched, so programs that watch the folder see no change.

    Raises:
        PackError: `out` cannot be written.
    """
    try:
        packs = pack_files(builts)
        for url, file in {**shared_files(), **packs}.items():
            _put(out / url, file if isinstance(file, bytes) else file.read_bytes())
        sheets = sheets_in(packs)
        for built in builts:
            name, sheet = built.demo.name, sheets[built.demo.name]
            link = f"{FOLDER}{name}.html"
            _put(page_path(built, out), page.standalone(built, "", sheet, link).encode())
            _put(out / link, page.standalone_proof(sheet, "../", f"../{name}.html").encode())
    except OSError as error:
        raise PackError(f"{out}: cannot be written: {error.strerror}") from None


def _put(path: Path, content: bytes) -> None:
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    shutil.move(part, path)
