"""A demo -> one HTML file with everything in it: page, styles, runtime, programs, weights, samples.

The files of the pack stay what they are, as base64 in scripts that no browser runs. With
templates/bootstrap.js each gets a blob: URL, where the runtime looks first (runtime/carried.js).
"""

import base64
import gzip
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Any

from markupsafe import Markup

from . import page
from .builds import Built
from .errors import PackError
from .page_numbers import size
from .runtime_files import runtime_files

TEMPLATES = Path(__file__).parent / "templates"
MAX_BYTES = 500_000_000  # V8's longest string has 2^29 - 24 characters
TYPES = {".js": "text/javascript", ".json": "application/json", ".webp": "image/webp",
         ".txt": "text/plain;charset=utf-8"}
PARTS = {"weights": "weights", "webgpu": "programs", "wasm": "programs", "js": "programs",
         "runtime": "runtime"}  # by the stem of a file's name
SHOWN_BY_PAGES = {"card", "before", "after"}  # in a manifest: pictures that no script asks for
PAGE, WORKER = "onnxpress.js", "worker.js"

# How one file of the runtime names another: import ... from "./x.js", import("./x.js"),
# new URL("./x.css", import.meta.url).
LINK = re.compile(r'(from |import\(|new URL\()"(\.\.?/[^"]+)"')
COMMENT = ("/*", "*")  # at the start of a line; JSDoc types name files as imports do


@dataclass(frozen=True)
class Carried:
    """A file inside the page. `text`: base64 of its content, or of its gzip."""

    url: str
    type: str
    gzip: bool
    text: str

    @property
    def part(self) -> str:
        return PARTS.get(PurePosixPath(self.url).name.partition("-")[0], "page and pictures")


def export(built: Built) -> tuple[str, str]:
    """The page of `built` as one HTML file, and a sentence on the sizes of its parts.

    Raises:
        PackError: a file of the pack cannot be read, or browsers could not open the page.
    """
    runtime = linked_runtime(tuple(built.manifest["targets"]))
    files = [carry("runtime", json.dumps(runtime, ensure_ascii=False).encode()),
             carry(f"demos/{built.demo.name}.json", _read(built.folder / "manifest.json"))]
    names = dict.fromkeys(_loaded(built.manifest, {path.name for path in built.files}))
    files += [carry(f"demos/{name}", _read(built.folder / name)) for name in names]
    styles = (runtime_files()["onnxpress.css"], TEMPLATES / "pages.css")
    html = page.one_file(
        built, _poster_pictures(built), files=files,
        styles=Markup("\n".join(path.read_text("utf-8") for path in styles)),
        bootstrap=Markup((TEMPLATES / "bootstrap.js").read_text("utf-8")))
    return html, _sizes(html, files, built.demo.where)


def carry(url: str, content: bytes, compress: bool = True) -> Carried:
    """`content` as text, compressed where that makes it smaller."""
    packed = gzip.compress(content, 9, mtime=0) if compress else content
    smaller = len(packed) < len(content)
    return Carried(url, TYPES.get(PurePosixPath(url).suffix, "application/octet-stream"), smaller,
                   base64.b64encode(packed if smaller else content).decode())


def linked_runtime(targets: tuple[str, ...]) -> dict[str, str]:
    """Name -> text of all that the page and its worker need, each after what it names itself;
    there "carried:NAME" stands for a relative URL."""
    files = runtime_files(targets)
    texts: dict[str, str] = {}
    uses: dict[str, list[str]] = {}
    waiting = [PAGE, WORKER]
    while waiting:
        name = waiting.pop()
        if name not in texts:
            texts[name], uses[name] = _link(name, files)
            waiting += uses[name]
    return {name: texts[name] for name in TopologicalSorter(uses).static_order()}


def _link(name: str, files: Mapping[str, Path]) -> tuple[str, list[str]]:
    """The file's text with "carried:NAME" for the files it names, and their names."""
    used: dict[str, None] = {}
    folder = files[name].parent
    names = {path: other for other, path in files.items()}

    def point(match: re.Match[str]) -> str:
        other = names.get((folder / match[2]).resolve())
        if other in (None, WORKER):  # a backend without a program; the bootstrap starts workers
            return match[0]
        used[other] = None
        return f'{match[1]}"carried:{other}"'

    lines = files[name].read_text("utf-8").splitlines(keepends=True)
    text = "".join(line if line.lstrip().startswith(COMMENT) else LINK.sub(point, line)
                   for line in lines)
    return text, list(used)


def _loaded(value: Any, names: Collection[str]) -> Iterator[str]:
    """Those of `names` that stand in the manifest for the runtime, in its order."""
    if isinstance(value, Mapping):
        value = [v for k, v in value.items() if k not in SHOWN_BY_PAGES]
    if isinstance(value, list):
        for item in value:
            yield from _loaded(item, names)
    elif isinstance(value, str) and value in names:
        yield value


def _poster_pictures(built: Built) -> dict[str, str]:
    """Name -> data: URL of the pictures that stand in the page itself."""
    samples = built.manifest["demo"].get("samples", ())
    if not samples:
        return {}
    result = samples[0].get("result", {})
    shown = [result["before"], result["after"]] if "after" in result else [samples[0]["url"]]
    files = [carry(name, _read(built.folder / name), compress=False) for name in shown]
    return {file.url: f"data:{file.type};base64,{file.text}" for file in files}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PackError(f"{path}: cannot be read: {error.strerror}") from None


def _sizes(html: str, files: list[Carried], where: str) -> str:
    """'12.3 MB (weights 9.4 MB, programs 0.2 MB, ...)': what each part takes in the page."""
    total = len(html.encode())
    if total > MAX_BYTES:
        raise PackError(f"{where}: the page would have {size(total)}, and browsers open none above "
                        f"{size(MAX_BYTES)}; use weights: int8, or publish it with onnxpress build")
    parts = {"weights": 0, "programs": 0, "runtime": 0, "page and pictures": 0}
    for file in files:
        parts[file.part] += len(file.text)
    parts["page and pictures"] += total - sum(parts.values())
    return f"{size(total)} ({', '.join(f'{name} {size(n)}' for name, n in parts.items())})"
