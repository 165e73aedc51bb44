"""A copy of the fixture site and ways to look at what a build made of it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory

from onnxpress.build.cache import DAY, code_version
from support.paths import ROOT, SITES

KEPT = ROOT / ".cache/tests"


def copy_site(folder: Path, built: bool = False) -> Path:
    """The fixture site in `folder`. `built`: its cache holds the packs of both demos, which are
    built once for each state of the package and kept for later runs."""
    shutil.copytree(SITES, folder, dirs_exist_ok=True)
    if built:
        shutil.copytree(_packs(), folder / ".cache/onnxpress", dirs_exist_ok=True)
    return folder


@cache
def _packs() -> Path:
    """The cache of a build of both demos. Processes that begin at once each build it; the first one
    to end keeps it."""
    key = hashlib.sha256("".join([code_version(), *content(SITES).values()]).encode()).hexdigest()
    kept = KEPT / f"packs-{key[:16]}"
    if not kept.is_dir():
        for old in KEPT.glob("packs-*"):
            if time.time() - old.stat().st_mtime > DAY:
                shutil.rmtree(old, ignore_errors=True)
        KEPT.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=KEPT) as name:
            site = copy_site(Path(name, "site"))
            done = run(site, "onnxpress.cli", "build", "docs/sums.yml", "docs/tint.yml", "--out",
                       "out")
            assert done.returncode == 0, done.stderr
            with suppress(OSError):  # another process was first
                (site / ".cache/onnxpress").rename(kept)
    kept.touch()
    return kept


def run(folder: Path, *command: str) -> subprocess.CompletedProcess:
    """`python -m COMMAND` in the folder, its output as text."""
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, env=env, text=True,
                          capture_output=True, check=False)


def content(folder: Path) -> dict[str, str]:
    """Path below the folder -> hash of the file."""
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(folder.rglob("*")) if p.is_file()}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def tags(page: Path) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Page()
    parser.feed(page.read_text("utf-8"))
    return parser.tags


def missing_files(site: Path, page: Path) -> list[str]:
    """Our relative addresses in the page (assets, demos) that lead nowhere below `site`."""
    missing = []
    for _, attributes in tags(page):
        for name in ("src", "href"):
            url = attributes.get(name) or ""
            if "onnxpress/" in url and not re.match(r"[a-z]+:|//", url):
                target = (page.parent / url.partition("#")[0]).resolve()
                if not (target.is_relative_to(site.resolve()) and target.is_file()):
                    missing.append(url)
    return missing
