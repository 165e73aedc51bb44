"""Values of command-line options, and the models that SPEC and MODEL arguments name."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import did_you_mean
from ..spec import Demo, Rules, load_demo
from ..targets import TARGETS

NamedShape = tuple[str, tuple[int, ...]]
CACHE = Path(".cache/onnxpress")


def shape(text: str) -> NamedShape:
    """"data=1x3x224x224" -> ("data", (1, 3, 224, 224))"""
    name, _, dims = text.rpartition("=")
    parts = dims.split("x")
    if not name or not all(p.isdecimal() and int(p) for p in parts):
        raise argparse.ArgumentTypeError(f'"{text}" is not NAME=1x3x224x224')
    return name, tuple(map(int, parts))


def count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of at least 1')
    return int(text)


def positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f'"{text}" is not a number above 0')
    return number


def counts(text: str) -> tuple[int, ...]:
    return tuple(map(count, text.split(",")))


def target_list(text: str) -> tuple[str, ...]:
    names = text.split(",")
    for name in names:
        if name not in TARGETS:
            raise argparse.ArgumentTypeError(
                f'"{name}" is not one of {", ".join(TARGETS)}.{did_you_mean(name, tuple(TARGETS))}')
    return tuple(t for t in TARGETS if t in names)


def read_spec(spec: Path, models: Path | None, recipes: Sequence[Path]) -> Demo:
    """The demo of a spec. `models`: the folder of cards and labels, if it is named; `recipes`:
    further folders of recipes.

    Raises:
        SpecError: file, line, and what to write instead.
    """
    folder = models or _models_folder(spec)
    return load_demo(spec, folder,
                     rules=Rules.around(folder, spec.parent, recipes=recipes))


def _models_folder(spec: Path) -> Path:
    """models/ here or beside the spec's folder. Where neither is, the project is the folder of the
    command if the spec is inside it, else the spec's own."""
    here, folder = Path("models"), spec.resolve().parent
    if here.is_dir() or not (folder.parent / here).is_dir():
        return here if here.is_dir() or folder.is_relative_to(Path.cwd()) else folder / here
    return folder.parent / here


def cache_place(text: str) -> tuple[Path, str]:
    """(the cache's folder, the URL of a shared cache behind it, or "")"""
    return (CACHE, text) if "://" in text else (Path(text), "")


def open_model(options: argparse.Namespace) -> tuple[Any, Mapping[str, tuple[int, ...]]]:
    """The ONNX model of a spec or a file, and the shapes that fix its inputs. Reads `model`,
    `shape`, `models`, `recipes` and `cache` of `options`; a spec's `simplify: false` goes there."""
    from ..model.source import load_card_model, load_model

    path, shapes = options.model, dict(options.shape)
    if path.suffix in (".yml", ".yaml"):
        demo = read_spec(path, options.models, options.recipes)
        options.simplify = options.simplify and demo.simplify
        fixed = {**demo.shapes, **shapes}
        return load_card_model(demo.card, options.cache[0] / "models", fixed).model, fixed
    return load_model(path, shapes), shapes
