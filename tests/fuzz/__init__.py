"""Hostile files, drawn from seeds: one module for each mutator, and the runner of `make fuzz`."""

from collections.abc import Mapping

from .manifests import MANIFESTS
from .models import MODELS
from .mutator import Mutator
from .specs import SPECS

MUTATORS: Mapping[str, Mutator] = {m.name: m for m in (MODELS, SPECS, MANIFESTS)}
