"""Files that a spec names: beside it, below models/labels, or inside an installed package.

Specs, cards and labels come from strangers too, so they are data. A file that they name lies inside
the project once links are followed. Hard links cannot be told from files; git cannot store them.
"""

import os.path
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath

from ..errors import SpecError

MAX_LABEL_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rules:
    """What the specs of a project may name.

    `roots`: folders of the project; every file lies in one of them. `recipes`: folders whose Python
    files are recipes. `own_recipes`: whether a spec may name a recipe itself, not only a card.
    """

    roots: tuple[Path, ...]
    recipes: tuple[Path, ...]
    own_recipes: bool = True

    @classmethod
    def around(cls, models: Path, *roots: Path, recipes: Sequence[Path] = ()) -> "Rules":
        """The rules of the project whose cards and recipes are in `models`. `roots`: its other
        folders; `recipes`: further folders of recipes."""
        # The folder `models` itself is no link either: a link there could lead to any Python file.
        own = models.parent.resolve() / models.name
        return cls((models.parent.resolve(), *(root.resolve() for root in roots)),
                   (own, *(folder.resolve() for folder in recipes)))

    def admit(self, path: Path, where: str) -> Path:
        """`path`, which is inside the project.

        Raises:
            SpecError: it leads out of the project.
        """
        if _inside(path, (*self.roots, *self.recipes)):
            return path
        raise SpecError(f"{where} leads out of the project's folder {self.roots[0].name}/; "
                        "copy the file into it")

    def admit_recipe(self, path: Path, where: str) -> Path:
        """`path`, which is a Python file that specs may name.

        Raises:
            SpecError: it is no recipe.
        """
        if not self.own_recipes:
            raise SpecError(f"{where}: a spec inside a page runs no Python; keep the spec in a "
                            "file of its own, or write inline_recipes: true in mkdocs.yml")
        if _inside(path, self.recipes):
            return path
        raise SpecError(f"{where}: {path.name} is not inside {self.recipes[0].name}/, where "
                        "recipes are; move it there, or allow its folder: recipes in mkdocs.yml, "
                        "--recipes DIR for the command")


def _inside(path: Path, folders: Sequence[Path]) -> bool:
    full = path.resolve()
    return any(full.is_relative_to(folder) for folder in folders)


def local_path(reference: str, bases: Path | Sequence[Path], where: str, rules: Rules) -> Path:
    """The existing file at `reference`, relative to the first of `bases` that has it.

    Raises:
        SpecError: there is no such file, or it is outside of the project.
    """
    if PurePosixPath(reference).is_absolute() or ":" in reference or "\\" in reference:
        raise SpecError(f'{where}: "{reference}" is not a path relative to this file')
    for base in (bases,) if isinstance(bases, Path) else bases:
        if os.path.isfile(base / reference):  # noqa: PTH113  (False for a name that is too long)
            return rules.admit(base / reference, f'{where}: "{reference}"')
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


def read_lines(reference: str, folders: Sequence[Path], where: str, rules: Rules
               ) -> tuple[str, ...]:
    """The lines of the label file `reference` in the first folder that has it.

    Raises:
        SpecError: it is not there, cannot be read, or is no text of that size.
    """
    parts, named = PurePosixPath(reference), f'{where}: "{reference}"'
    if parts.is_absolute() or ".." in parts.parts or ":" in reference or "\\" in reference:
        raise SpecError(f"{named} is not a file name in models/labels")
    found = (folder / reference for folder in folders)
    path = next((p for p in found if os.path.isfile(p)), None)  # noqa: PTH113  (as in local_path)
    if path is None:
        raise SpecError(f'{where}: there is no file "{reference}" in models/labels')
    rules.admit(path, named)
    try:
        if path.stat().st_size > MAX_LABEL_BYTES:
            raise SpecError(f"{named} has more than {MAX_LABEL_BYTES:,} bytes")
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise SpecError(f"{named} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SpecError(f"{named} is not UTF-8 text; save it as UTF-8") from None
    lines = [line.strip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise SpecError(f"{named} is empty; write one label a line")
    return tuple(lines)
