"""The browser runtime as files: a few modules that find each other by relative URLs, their types,
and styles."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from ..files import write_atomically
from ..manifest.generated import onnxpress_declarations
from ..targets import TARGETS
from .bundle import bundle

RUNTIME = Path(__file__).parent
PAGES = ("onnxpress.js", "worker.js")
TOOLS = ("bench/element.js", "proof/element.js")


def runtime_files(targets: Iterable[str] = TARGETS) -> Mapping[str, bytes]:
    """URL relative to onnxpress.js -> content, without the backends of other targets."""
    return _runtime_files(tuple(t for t in TARGETS if t not in targets))


@cache
def _runtime_files(without: tuple[str, ...]) -> Mapping[str, bytes]:
    unused = {f"targets/{target}.js" for target in without if TARGETS[target].separate}
    modules = {url: text for url, text in runtime_modules().items() if url not in unused}
    files = {url: text.encode() for url, text in bundle(modules, PAGES, TOOLS).items()}
    files["onnxpress.d.ts"] = onnxpress_declarations().encode()
    styles = sorted(RUNTIME.rglob("*.css"))
    return files | {p.relative_to(RUNTIME).as_posix(): p.read_bytes() for p in styles}


def runtime_modules() -> dict[str, str]:
    """Path below RUNTIME -> text of every module."""
    paths = sorted(RUNTIME.rglob("*.js"))
    return {p.relative_to(RUNTIME).as_posix(): p.read_text("utf-8") for p in paths}


def write_runtime(folder: Path, targets: Iterable[str] = TARGETS) -> list[Path]:
    """The files written below `folder`, onnxpress.js among them."""
    written = []
    for url, content in runtime_files(targets).items():
        target = folder / url
        if not target.is_file() or target.read_bytes() != content:
            write_atomically(target, content)
        written.append(target)
    return written
