"""Tensors: the numbers that go in and come out, for a model whose answer is not to be looked at."""

from ..kinds import numbers
from .base import Task

TASK = Task("tensor", numbers.KIND, body="", misfit=lambda name, shape, reading: "")
