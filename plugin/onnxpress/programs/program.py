"""The result of a code generator: a target's published files, and facts for the browser."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Program:
    """A target's program. `files`: build name -> (bytes, suffix), which hold everything that runs.
    `about`: JSON for the manifest, such as addresses, weight placements and step labels."""

    target: str
    files: Mapping[str, tuple[bytes, str]]
    about: Mapping[str, Any]
