"""Values of command-line options, and the models that SPEC and MODEL arguments name."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import did_you_mean
from ..spec import load_demo
from ..targets import TARGETS

Shape = tuple[str, tuple[int, ...]]
CACHE = Path(".cache/onnxpress")


def shape(text: str) -> Shape:
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


def counts(text: str) -> tuple[int, ...]:
    return tuple(map(count, text.split(",")))


def target_list(text: str) -> tuple[str, ...]:
    names = text.split(",")
    for name in names:
        if name not in TARGETS:
            raise argparse.ArgumentTypeError(
                f'"{name}" is not one of {", ".join(TARGETS)}.{did_you_mean(name, tuple(TARGETS))}')
    return tuple(t for t in TARGETS if t in names)


def models_folder(asked: Path | None, spec: Path) -> Path:
    """The folder of cards and labels: `asked`, or models/ here or beside the spec's folder."""
    if asked or Path("models").is_dir():
        return asked or Path("models")
    return spec.resolve().parent.parent / "models"


def cache_place(text: str) -> tuple[Path, str]:
    """(the cache's folder, the URL of a shared cache behind it, or "")"""
    return (CACHE, text) if "://" in text else (Path(text), "")


def open_model(path: Path, shapes: list[Shape], models: Path | None, cache: tuple[Path, str]
               ) -> tuple[Any, Mapping[str, tuple[int, ...]]]:
    """The ONNX model of a spec or a file, and the shapes that fix its inputs."""
    from ..model.source import load_card_model, load_model

    if path.suffix in (".yml", ".yaml"):
        demo = load_demo(path, models_folder(models, path))
        fixed = {**demo.shapes, **dict(shapes)}
        return load_card_model(demo.card, cache[0] / "models", fixed).model, fixed
    return load_model(path, dict(shapes)), dict(shapes)
