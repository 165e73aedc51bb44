"""A demo -> one HTML file with everything in it: page, styles, runtime, programs, weights, samples.

The pack's files stay as they are, as base64 in script elements that no browser runs.
site/templates/bootstrap.js gives each a blob: URL, and runtime/load/carried.js looks there first.

A page is a list of parts: pieces of text, and between them published files, which stand there as
base64. `onnxpress export` joins the parts here. A site publishes the list, and
runtime/page/save.js joins the same bytes.
"""

import base64
import hashlib
import json
import re
import struct
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath
from posixpath import dirname, join, normpath
from typing import Any

from markupsafe import Markup

from ..build.builds import Built
from ..errors import PackError
from ..files import FileEntry, json_bytes
from ..pack.values import to_json
from ..runtime import runtime_files
from ..targets import TARGETS
from ..tasks import TASKS
from ..words import size
from . import page

TEMPLATES = Path(__file__).parent / "templates"
MAX_BYTES = 1_000_000_000  # opens in Chromium 150 and Firefox 153, in about a minute
TYPES = {".js": "text/javascript", ".json": "application/json", ".webp": "image/webp",
         ".txt": "text/plain;charset=utf-8"}
SHRINKING = {".js", ".json", ".txt", ".wasm"}  # files that are published uncompressed
# Stem of a file's name -> what it holds.
CONTENTS = {"weights": "weights", **dict.fromkeys(TARGETS, "programs"), "runtime": "runtime"}
OTHER = "page and pictures"
# Keys of pictures that no script asks for.
SHOWN_BY_PAGES = {"card", *(key for task in TASKS.values() for key in task.posters)}
PAGE, WORKER = "onnxpress.js", "worker.js"

# How one file of the runtime names another: import ... from "./x.js", import("./x.js"),
# new URL("./x.css", import.meta.url).
LINK = re.compile(r'(from |import\(|new URL\()"(\.\.?/[^"]+)"')

# Of gzip (RFC 1952): deflate, no name, no time, densest, written on Unix.
HEADER = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3])

# Marks the place for a published file's base64. Texts of specs are escaped and have no "<".
PLACE = re.compile("<!--file:([^>]+)-->")


@dataclass(frozen=True)
class Carried:
    """A file in the page. `text`: base64 of its gzip, or a mark for the base64 of the file itself.
    `length`: bytes of the base64."""

    url: str
    type: str
    gzip: bool
    length: int
    text: Markup


@dataclass(frozen=True)
class OneFile:
    """A page: text and published files in turn. `sizes`: content (such as "weights") -> its bytes
    in the page, which add up to the whole page."""

    parts: tuple[str | Path, ...]
    sizes: Mapping[str, int]

    @property
    def total(self) -> int:
        """Bytes of the page."""
        return sum(self.sizes.values())

    def __str__(self) -> str:
        """'12.3 MB (weights 9.4 MB, programs 0.2 MB, ...)'"""
        return f"{size(self.total)} ({', '.join(f'{k} {size(n)}' for k, n in self.sizes.items())})"

    def chunks(self) -> Iterator[bytes]:
        """The page, a part at a time.

        Raises:
            PackError: a file of the pack cannot be read.
        """
        for part in self.parts:
            yield part.encode() if isinstance(part, str) else base64.b64encode(_read(part))

    def published(self) -> bytes:
        """The list of parts as JSON, for runtime/page/save.js.

        Raises:
            PackError: a file of the pack cannot be read.
        """
        return json_bytes([p if isinstance(p, str) else to_json(_entry(p)) for p in self.parts])


def export(built: Built) -> OneFile:
    """The page of a demo in one file.

    Raises:
        PackError: a file of the pack cannot be read, or the page would be too large for browsers.
    """
    found = one_file(built)
    if found.total > MAX_BYTES:
        raise PackError(f"{built.demo.where}: the page would have {found}, and browsers are not "
                        f"known to open more than {size(MAX_BYTES)}; use weights: int8, or publish "
                        "it with onnxpress build")
    return found


def one_file(built: Built) -> OneFile:
    """The page of a demo in one file of any size.

    Raises:
        PackError: a file of the pack cannot be read.
    """
    paths = {path.name: path for path in built.files}
    names = dict.fromkeys(_loaded(to_json(built.manifest), paths))
    files = [_runtime(tuple(built.manifest.targets.named())),
             carry(f"demos/{built.demo.name}.json", built.folder / "manifest.json"),
             *(carry(f"demos/{name}", paths[name]) for name in names)]
    pictures = {name: Markup(f"data:{_type(name)};base64,{_place(name)}")
                for name in page.poster_pictures(built.shown)}
    html = page.one_file(built, pictures, files=files, styles=_styles(),
                         bootstrap=Markup((TEMPLATES / "bootstrap.js").read_text("utf-8")))
    parts = tuple(paths[text] if i % 2 else text for i, text in enumerate(PLACE.split(html)))
    return OneFile(parts, _sizes(parts, files))


@cache
def carry(url: str, path: Path) -> Carried:
    """The file at `path`, which the page loads from `url`."""
    if path.suffix in SHRINKING:
        return _zipped(url, _read(path))
    return Carried(url, _type(url), False, _length(path), _place(path.name))


def _runtime(targets: tuple[str, ...]) -> Carried:
    return _zipped("runtime", json.dumps(linked_runtime(targets), ensure_ascii=False).encode())


def _zipped(url: str, content: bytes) -> Carried:
    packed = base64.b64encode(pack_gzip(content)).decode()
    return Carried(url, _type(url), True, len(packed), Markup(packed))


def pack_gzip(content: bytes) -> bytes:
    """As gzip.compress, whose header is another one on other systems, and since Python 3.13."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    trailer = struct.pack("<2I", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return HEADER + stream.compress(content) + stream.flush() + trailer


def _place(name: str) -> Markup:
    return Markup(f"<!--file:{name}-->")


def _type(url: str) -> str:
    return TYPES.get(PurePosixPath(url).suffix, "application/octet-stream")


def _styles() -> Markup:
    styles = (runtime_files()["onnxpress.css"], (TEMPLATES / "pages.css").read_bytes())
    return Markup("\n".join(content.decode() for content in styles))


def linked_runtime(targets: tuple[str, ...]) -> dict[str, str]:
    """Name -> text of each script that the page and its worker need, imported ones first.

    An import names "carried:NAME" in place of a relative URL. Later code asks for a URL by name.
    """
    files = runtime_files(targets)
    texts: dict[str, str] = {}
    uses: dict[str, list[str]] = {}
    waiting = [PAGE, WORKER]
    while waiting:
        name = waiting.pop()
        if name not in texts:
            texts[name], uses[name], later = _link(name, files)
            waiting += [*uses[name], *later]
    return {name: texts[name] for name in TopologicalSorter(uses).static_order()}


def _link(name: str, files: Mapping[str, bytes]) -> tuple[str, list[str], list[str]]:
    """(the file's text with links to carried files, the files that it imports, the files that it
    loads later)"""
    used: dict[bool, dict[str, None]] = {True: {}, False: {}}

    def point(match: re.Match[str]) -> str:
        other = normpath(join(dirname(name), match[2]))
        # The code of a target without a program is not there; the bootstrap starts workers.
        if other not in files or other == WORKER:
            return match[0]
        imported = match[1] == "from "
        used[imported][other] = None
        place = f'"carried:{other}"' if imported else f'onnxpressCarried.runtime["{other}"]'
        return f"{match[1]}{place}"

    return LINK.sub(point, files[name].decode()), list(used[True]), list(used[False])


def _loaded(value: Any, names: Collection[str]) -> Iterator[str]:
    """The `names` that the manifest gives to the runtime, in the manifest's order."""
    if isinstance(value, Mapping):
        value = [v for k, v in value.items() if k not in SHOWN_BY_PAGES]
    if isinstance(value, list):
        for item in value:
            yield from _loaded(item, names)
    elif isinstance(value, str) and value in names:
        yield value


def _sizes(parts: tuple[str | Path, ...], files: list[Carried]) -> dict[str, int]:
    sizes = dict.fromkeys((*CONTENTS.values(), OTHER), 0)
    for file in files:
        sizes[_content(file.url)] += file.length
    sizes[OTHER] += sum(map(_length, parts)) - sum(sizes.values())
    return sizes


def _length(part: str | Path) -> int:
    """The part's bytes in the page."""
    return len(part.encode()) if isinstance(part, str) else 4 * -(-_entry(part).bytes // 3)


def _content(url: str) -> str:
    return CONTENTS.get(PurePosixPath(url).name.partition("-")[0], OTHER)


@cache
def _entry(path: Path) -> FileEntry:
    """The published file's entry, as in a manifest."""
    content = _read(path)
    return FileEntry(path.name, len(content), hashlib.sha256(content).hexdigest())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PackError(f"{path}: cannot be read: {error.strerror}") from None
