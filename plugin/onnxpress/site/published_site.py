"""A published site or pack -> its packs in a folder, to be proven like a built one.

An address names a manifest, a page with demos, or any page of a site that onnxpress built. Only
the address's own host is asked. A program runs only after its hash was right.
"""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from ..errors import PackError
from ..files import write_atomically
from ..manifest.manifest import read_manifest
from ..model.download import admit_asked, read_url
from ..pack.values import to_json
from ..words import size
from .proof_sheet import INDEX, sheet_place
from .recheck import named_files

PAGE_BYTES = 16_000_000  # most of a page, a manifest or a proof sheet
PICTURE_BYTES = 64_000_000  # most of a file whose size the manifest does not state
TOTAL_BYTES = 4_000_000_000  # most of all packs together
SCRIPT = "onnxpress.js"


class Mirror:
    """Files of one host below `folder`, each at the path of its URL. `left`: bytes that may still
    be downloaded."""

    def __init__(self, url: str, folder: Path) -> None:
        self.host = urlsplit(url)[:2]
        self.admit = admit_asked(url)
        self.folder = folder
        self.left = TOTAL_BYTES

    def place(self, url: str) -> Path:
        """The path of a URL's file.

        Raises:
            PackError: the URL is of another host, or its path leads out of the folder.
        """
        parts = urlsplit(url)
        names = unquote(parts.path).lstrip("/").split("/")
        if parts[:2] != self.host or any(n in ("", ".", "..") or "\\" in n or ":" in n or "\0" in n
                                         for n in names):
            raise PackError(f"{url}: this leads away from {'://'.join(self.host)}; it is not "
                            "downloaded")
        return self.folder.joinpath(*names)

    def get(self, url: str, limit: int) -> Path | None:
        """The path of the URL's file, which is there now; None if the host has no such file.

        Raises:
            PackError: see `place`; all packs together are too large.
            ModelError, UnavailableError: see `read_url`.
        """
        path = self.place(url)
        if not path.is_file():
            if limit > self.left:
                raise PackError(f"{url}: the packs have more than {size(TOTAL_BYTES)}; download "
                                "the site and name its folder")
            content = read_url(url, limit, self.admit)
            if content is None:
                return None
            self.left -= len(content)
            write_atomically(path, content)
        return path

    def need(self, url: str, limit: int) -> Path:
        """As `get`. Raises: PackError: the host has no such file."""
        path = self.get(url, limit)
        if path is None:
            raise PackError(f"{url}: the host has no such file")
        return path


def download_packs(url: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """(URL, path) of each manifest that the address leads to; its pack is below `folder`.

    Raises:
        PackError: the address leads to no pack, or a pack names a file of another host.
        ModelError: the address is refused, or a file is longer than stated.
        UnavailableError: a file cannot be had.
    """
    mirror = Mirror(url, folder)
    for address in _manifests(mirror, url):
        path = mirror.need(address, PAGE_BYTES)
        for file in named_files(to_json(read_manifest(path))):
            named = isinstance(file, tuple)
            mirror.need(urljoin(address, file[0] if named else file.url),
                        PICTURE_BYTES if named else file.bytes)
        mirror.get(urljoin(address, sheet_place(path.name)), PAGE_BYTES)  # older packs have none
        yield address, path


def _manifests(mirror: Mirror, url: str) -> list[str]:
    """The URLs of the manifests that an address leads to."""
    if urlsplit(url).path.endswith(".json"):
        return [url]
    content = read_url(url, PAGE_BYTES, mirror.admit)
    if content is None:
        raise PackError(f"{url}: the host has no such page")
    page = _Page()
    page.feed(content.decode("utf-8", "replace"))
    if page.demos:
        return [urljoin(url, demo) for demo in dict.fromkeys(page.demos)]
    if page.script is None:
        raise PackError(f"{url}: this page has no demo and no {SCRIPT}; name the page of a demo, "
                        "or a manifest")
    index = urljoin(urljoin(url, page.script), INDEX)
    try:
        names = json.loads(mirror.need(index, PAGE_BYTES).read_bytes())
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise PackError(f"{index}: this is no list of demos")
    return [urljoin(index, f"demos/{name}.json") for name in names]


class _Page(HTMLParser):
    """`demos`: the sources of the page's elements; `script`: the runtime's."""

    def __init__(self) -> None:
        super().__init__()
        self.demos: list[str] = []
        self.script: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        source = dict(attrs).get("src") or ""
        if tag in ("onnx-demo", "onnx-bench", "onnx-proof") and source:
            self.demos.append(source)
        if tag == "script" and urlsplit(source).path.endswith(f"/{SCRIPT}"):
            self.script = source
