"""Programs and weights as files in a folder: what the proof runs and a site publishes.

Weights are stored once, in the graph's own order, in shards that every target shares. File names
carry the hash of the content, so equal files have equal names on every page and in every version
of a site.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..graph.graph import Graph
from ..pack.targets import Targets
from ..pack.weights import Weights
from ..programs.program import AnyProgram, publish
from ..weights.shards import write_weights


@dataclass(frozen=True)
class Written:
    """The files of a pack in `folder`, as its manifest will describe them."""

    folder: Path
    weights: Weights
    targets: Targets


def write(graph: Graph, programs: Iterable[AnyProgram], encodings: Mapping[str, str],
          folder: Path) -> Written:
    """The graph's constants, stored as `encodings` says by name, and its programs, in `folder`.

    Raises:
        PackError: a file cannot be written.
    """
    weights = write_weights(graph.constants, encodings, folder)
    published: dict[str, Any] = {p.target: publish(p, folder) for p in programs}
    return Written(folder, weights, Targets(**published))
