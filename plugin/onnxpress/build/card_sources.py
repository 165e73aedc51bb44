"""Which of a card's sources can be reached, and which of their facts decide a pack."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import SpecError, UnavailableError
from ..model.download import fetch
from ..model.external import external_files
from ..spec import Card, Source
from ..spec.files import package_path
from .cache import FRONTENDS, versions


def first_available(card: Card, downloads: Path,
                    progress: Callable[[int, int], None] | None = None) -> int:
    """The index of the first source that can be reached; 0 if none can (reading it says why).

    With `progress(received, total)` in bytes, sources from the network are fetched into
    `downloads`. Without it, only files on this machine count.

    Raises:
        ModelError: a source can be reached and is wrong.
    """
    for index, source in enumerate(card.sources):
        try:
            _obtain(source, downloads, progress)
            return index
        except (UnavailableError, SpecError):
            continue
    return 0


def _obtain(source: Source, downloads: Path,
            progress: Callable[[int, int], None] | None) -> None:
    if source.weights:
        _obtain(source.weights, downloads, progress)
    if source.package:
        package_path(source.package, source.where)
    if source.url is None or source.sha256 is None:  # a URL always has a hash
        return
    if progress:
        from ..model.source import MAX_MODEL_BYTES  # loads onnx, only where models are read

        fetch(source.url, source.sha256, downloads, source.bytes or MAX_MODEL_BYTES,
              progress=progress)
    elif not (downloads / source.sha256).is_file():
        raise UnavailableError(f"{source.url}: not downloaded yet")


def local_files(source: Source) -> list[Path]:
    """The local files that decide the model's content. For a URL its pinned hash decides it."""
    parts = filter(None, (source, source.weights))
    return list(dict.fromkeys(path for part in parts for path in files_of(part)))


def files_of(source: Source) -> list[Path]:
    """As `local_files`, without the weights of a recipe."""
    found = source.file
    if source.package:
        with suppress(SpecError):  # if it is not installed, another source is used
            found = package_path(source.package, source.where)
    if found:
        return [found, *external_files(found)]
    return sorted(source.python.parent.glob("*.py")) if source.python else []


def pinned(source: Source | None) -> dict[str, Any] | None:
    """The source as JSON: without this machine's paths, with the versions of its converters."""
    if source is None:
        return None
    plain = asdict(source)
    plain.update(where="", file=source.file and source.file.name,
                 python=source.python and source.python.name, weights=pinned(source.weights))
    name = source.url or source.package or str(source.file)
    if source.python or name.endswith(".tflite"):
        plain["frontends"] = versions(FRONTENDS)
    return plain
