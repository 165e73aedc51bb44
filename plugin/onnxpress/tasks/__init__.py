"""What answers mean: one module for each task, and this folder is their registry."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from ..kinds.base import Fields
from . import tensor
from .base import Answer, Task

HELPERS = {"base", "gates", "pictures"}  # modules here that are no task


def _found() -> Iterator[Task]:
    for module in iter_modules(__path__):
        if module.name not in HELPERS:
            yield import_module(f"{__name__}.{module.name}").TASK


TASKS: Mapping[str, Task] = {task.name: task for task in _found()}
PLAIN = Answer(tensor.TASK, 0, tensor.read(Fields({}, str)))  # of a model without a spec
