"""The browser runtime as files: plain ES modules that find each other by relative URLs."""

from collections.abc import Sequence
from pathlib import Path

from .files import write_atomically

RUNTIME = Path(__file__).parent / "runtime"
TARGETS = ("webgpu", "wasm", "js")


def runtime_files(targets: Sequence[str] = TARGETS) -> dict[str, Path]:
    """URL relative to onnxpress.js -> file, without the backends of other targets."""
    unused = {f"backends/{t}.js" for t in TARGETS if t not in targets}
    found = {p.relative_to(RUNTIME).as_posix(): p for p in sorted(RUNTIME.rglob("*"))
             if p.suffix in (".js", ".css")}
    return {url: path for url, path in found.items() if url not in unused}


def write_runtime(folder: Path, targets: Sequence[str] = TARGETS) -> list[Path]:
    """The files written below `folder`, onnxpress.js among them."""
    written = []
    for url, path in runtime_files(targets).items():
        content = path.read_bytes()
        target = folder / url
        if not target.is_file() or target.read_bytes() != content:
            write_atomically(target, content)
        written.append(target)
    return written
