"""Files that a spec names: beside it, below models/labels, or inside an installed package."""

from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath

from ..errors import SpecError

MAX_LABEL_BYTES = 4 * 1024 * 1024


def local_path(reference: str, bases: Path | Sequence[Path], where: str) -> Path:
    """The existing file at `reference`, relative to the first of `bases` that has it."""
    if PurePosixPath(reference).is_absolute() or ":" in reference or "\\" in reference:
        raise SpecError(f'{where}: "{reference}" is not a path relative to this file')
    for base in (bases,) if isinstance(bases, Path) else bases:
        if (base / reference).is_file():
            return base / reference
    raise SpecError(f'{where}: there is no file "{reference}" beside this one')


def python_reference(reference: str) -> tuple[str, str]:
    """("models/net.py", "make") of "models/net.py:make"; a function not named is "build"."""
    file, _, function = reference.partition(":")
    return file, function or "build"


def package_path(reference: str, where: str) -> Path:
    """The file "NAME/path/in/package" of an installed Python package, which is not imported.

    Raises:
        SpecError: no such package, no such file, or a path that leaves the package.
    """
    name, _, inner = reference.partition("/")
    found = PathFinder.find_spec(name) if name.isidentifier() else None
    folders = list(found.submodule_search_locations or ()) if found else []
    if not folders:
        raise SpecError(f'{where}: the Python package "{name}" is not installed; '
                        "write package:NAME/path/in/package")
    for folder in folders:
        root = Path(folder).resolve()
        path = (root / inner).resolve()
        if path.is_relative_to(root) and path.is_file():
            return path
    raise SpecError(f'{where}: the package "{name}" has no file "{inner}"')


def read_lines(reference: str, folders: Sequence[Path], where: str) -> tuple[str, ...]:
    """The lines of the label file `reference` in the first folder that has it."""
    parts = PurePosixPath(reference)
    if parts.is_absolute() or ".." in parts.parts or ":" in reference or "\\" in reference:
        raise SpecError(f'{where}: "{reference}" is not a file name in models/labels')
    for folder in folders:
        path = folder / reference
        if path.is_file():
            break
    else:
        raise SpecError(f'{where}: there is no file "{reference}" in models/labels')
    if path.stat().st_size > MAX_LABEL_BYTES:
        raise SpecError(f'{where}: "{reference}" has more than {MAX_LABEL_BYTES:,} bytes')
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise SpecError(f'{where}: "{reference}" is not UTF-8 text; save it as UTF-8') from None
    lines = [line.strip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise SpecError(f'{where}: "{reference}" is empty; write one label a line')
    return tuple(lines)
