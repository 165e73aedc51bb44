"""Tensors: the numbers that go in and come out, for a model whose answer is not to be looked at."""

from dataclasses import dataclass
from typing import Literal

from ..kinds import numbers
from ..kinds.base import Fields
from .base import Task

NAME = "tensor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """Numbers."""

    name: Literal["tensor"]
    output: str
    """the output's name"""


def read(fields: Fields) -> Tensor:
    return Tensor(name=NAME, output=fields.values.get("output", ""))


TASK = Task(NAME, numbers.KIND, body="", options=Tensor, read=read,
            misfit=lambda name, shape, reading: "")
