"""What visitors hand over: one module for each kind, and this folder is their registry."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from .base import Given, Kind

HELPERS = {"base", "colours", "resample"}  # modules here that are no kind


def _found() -> Iterator[Kind]:
    for module in iter_modules(__path__):
        if module.name not in HELPERS:
            yield import_module(f"{__name__}.{module.name}").KIND


KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _found()}
GIVEN: tuple[Given, ...] = tuple(kind.given for kind in KINDS.values() if kind.given)
