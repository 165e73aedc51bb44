"""A copy of the fixture site and ways to look at what a build made of it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

from support.paths import SITES


def copy_site(folder: Path) -> Path:
    shutil.copytree(SITES, folder, dirs_exist_ok=True)
    return folder


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
