"""What a code generator returns: a target's published files and what the browser must know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Program:
    """`files`: build name -> (bytes, suffix). `about` is JSON for the manifest: addresses,
    weight placements and step labels; everything that runs is in the files."""

    target: str
    files: Mapping[str, tuple[bytes, str]]
    about: Mapping[str, Any]
