"""A site with many versions -> the same site with one copy of the files that versions share.

Manifests name shards and programs by relative URLs, so a file that several versions need can move
into one folder at the site's root. The files are copied there first. Then manifests are rewritten
one by one, and files that no manifest names are removed. So each version works at every moment, and
the next run completes a run that was cut short.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import PackError
from ..files import FileEntry, json_bytes, read_file, write_atomically, write_file
from ..manifest.manifest import FORMAT, Manifest, read_manifest
from ..pack.values import from_json, to_json
from .proof_sheet import check_sheet, expect_manifest, settle_sheet

FOLDER = "onnxpress-files"
PAGE_PARTS = re.compile(r".+-page-[0-9a-f]{12}\.json")  # as site/publish.py names them


@dataclass(frozen=True)
class Published:
    """A manifest, its JSON and, if it names one, its page's list of parts. The JSON is rewritten,
    so that keys which this version does not know stay."""

    path: Path
    manifest: Manifest
    value: dict[str, Any]
    parts: list[Any]

    def entries(self) -> list[FileEntry]:
        """The entries of shards and programs, without pictures, because pages name those too."""
        return self.manifest.files()

    def file(self, url: str) -> Path:
        """The place of the file with that URL in the manifest."""
        return Path(os.path.normpath(self.path.parent / url))


@dataclass(frozen=True)
class Report:
    """How many manifests and shared files a site has; its shards' and programs' bytes."""

    manifests: int
    shared: int
    before: int
    after: int


def dedupe(site: Path) -> Report:
    """Shares files below `site`, a folder as it is published.

    Raises:
        PackError: a file is missing or damaged, a manifest leads out of the site, or a link to a
            folder would change the meaning of relative URLs. Then nothing has been changed.
    """
    site = site.resolve()
    packs = [read_published(path) for path in find_manifests(site)]
    if not packs:
        raise PackError(f"{site}: there is no manifest of onnxpress here; name the folder of a "
                        "published site")
    _check_links(site)
    wanted = _distinct_files(packs, site)
    for pack in packs:
        check_sheet(pack.path, pack.manifest)
    before = _total(wanted)
    places = _places(wanted, site / FOLDER)
    for sha, place in places.items():
        _copy(next(iter(wanted[sha])), place)
    packs = [_rewrite(pack, places) for pack in packs]
    after = _distinct_files(packs, site)
    kept = {path for paths in after.values() for path in paths}
    _remove_unnamed(packs, site, {path for paths in wanted.values() for path in paths} - kept, kept)
    return Report(len(packs), len(places), before, _total(after))


def find_manifests(site: Path) -> Iterator[Path]:
    """The files below `site` that are manifests; links are not followed."""
    for folder, inner, names in os.walk(site):
        inner[:] = sorted(name for name in inner if name != ".git")
        for name in sorted(names):
            path = Path(folder, name)
            if name.endswith(".json") and not path.is_symlink() and _is_manifest(path):
                yield path


def _is_manifest(path: Path) -> bool:
    try:
        content = path.read_bytes()
        value = json.loads(content) if b'"onnxpress"' in content else None
        return isinstance(value, dict) and value.get("onnxpress") == FORMAT
    except (OSError, ValueError):
        return False


def read_published(path: Path) -> Published:
    """The manifest at `path`.

    Raises:
        PackError: it is no manifest, or its list of parts is missing or damaged.
    """
    manifest = read_manifest(path)
    page = manifest.one_file
    parts = json.loads(read_file(page, path.parent)) if page else []
    return Published(path, manifest, json.loads(path.read_bytes()), parts)


def _check_links(site: Path) -> None:
    """Refuses links to folders at another depth, which would look for shared files elsewhere."""
    for folder, inner, _ in os.walk(site):
        for link in (p for p in (Path(folder, name) for name in inner) if p.is_symlink()):
            target = link.resolve()
            if target.is_relative_to(site) and len(target.parts) != len(link.parts):
                raise PackError(f"{link}: this link leads to a folder at another depth, where "
                                "relative addresses differ; use mike's --alias-type=copy")


def _distinct_files(packs: Iterable[Published], site: Path) -> dict[str, dict[Path, None]]:
    """sha256 -> the files with this content, verified."""
    found: dict[str, dict[Path, None]] = {}
    for pack in packs:
        for entry in pack.entries():
            path = pack.file(entry.url)
            if not path.is_relative_to(site) or path.resolve() != path:
                raise PackError(f'{pack.path}: "{entry.url}" leads out of {site}')
            paths = found.setdefault(entry.sha256, {})
            if path not in paths:
                read_file(entry, pack.path.parent)
                paths[path] = None
    return found


def _total(files: Mapping[str, Iterable[Path]]) -> int:
    return sum(path.stat().st_size for paths in files.values() for path in paths)


def _places(wanted: Mapping[str, Iterable[Path]], folder: Path) -> dict[str, Path]:
    """sha256 -> the place in `folder` of a file that several versions need.

    Two files whose hashes begin alike have one name; then the second stays where it is.
    """
    places: dict[Path, str] = {}
    for sha, paths in wanted.items():
        names = [path.name for path in paths]
        if len(names) > 1:
            places.setdefault(folder / names[0], sha)
    return {sha: place for place, sha in places.items()}


def _copy(source: Path, place: Path) -> None:
    if source == place:
        return
    part = place.with_name(f".{place.name}.part")
    try:
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, part)
        part.replace(place)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise PackError(f"{place}: cannot be written: {error.strerror}") from error


def _rewrite(pack: Published, places: Mapping[str, Path]) -> Published:
    """Lets the manifest name shared files at their shared place."""
    moved = {}
    for entry in pack.entries():
        place = places.get(entry.sha256)
        if place and pack.file(entry.url) != place:
            url = os.path.relpath(place, pack.path.parent)
            moved[entry.sha256] = PurePosixPath(Path(url)).as_posix()
    if not moved:
        settle_sheet(pack.path, pack.manifest)  # an earlier run may have been cut short here
        return pack
    value, parts = _moved(pack.value, moved), _moved(pack.parts, moved)
    if parts:
        stem = value["oneFile"]["url"].rpartition("-")[0]
        file = write_file(pack.path.parent, stem, json_bytes(parts), "json")
        value["oneFile"] |= to_json(file)
    manifest = from_json(Manifest, value, str(pack.path))
    expect_manifest(pack.path, json_bytes(value))
    write_atomically(pack.path, json_bytes(value))
    settle_sheet(pack.path, manifest)
    return Published(pack.path, manifest, value, parts)


def _moved(value: Any, urls: Mapping[str, str]) -> Any:
    """A JSON value whose file entries have these URLs, by sha256."""
    if isinstance(value, list):
        return [_moved(part, urls) for part in value]
    if not isinstance(value, dict):
        return value
    if "url" in value and value.get("sha256") in urls:
        return {**value, "url": urls[value["sha256"]]}
    return {key: _moved(part, urls) for key, part in value.items()}


def _remove_unnamed(packs: Iterable[Published], site: Path, moved: set[Path], kept: set[Path]
                    ) -> None:
    """Removes files that no manifest names: copies that moved (also in an earlier run), old lists
    of parts, and shared files that no version needs any more."""
    shared = {path.name: path for path in kept if path.parent == site / FOLDER}
    pages = {pack.file(pack.manifest.one_file.url) for pack in packs if pack.manifest.one_file}
    gone = set(moved)
    for folder in {pack.path.parent for pack in packs}:
        for path in folder.iterdir():
            copy = path.name in shared and path.read_bytes() == shared[path.name].read_bytes()
            if path not in kept | pages and (copy or PAGE_PARTS.fullmatch(path.name)):
                gone.add(path)
    if (site / FOLDER).is_dir():
        gone |= set((site / FOLDER).iterdir()) - kept
    for path in gone:
        path.unlink(missing_ok=True)
