"""The sizes of each demo: its ONNX model, its published files, the bytes of a first visit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..build.display import table
from ..manifest.manifest import Manifest
from ..runtime import runtime_files
from ..targets import TARGETS
from ..words import size
from .page_numbers import facts_of, program_bytes


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes, before a host's own compression.

    `programs`: target -> its largest build. `runtime`: target -> the scripts and styles that a page
    with the demo may load.
    """

    name: str
    onnx: int
    encoding: str
    weights: int
    programs: Mapping[str, int]
    runtime: Mapping[str, int]

    @property
    def first_visit(self) -> int:
        """Runtime, program and weights, on the target for which they are largest."""
        return self.weights + max(n + self.runtime[t] for t, n in self.programs.items())

    def json(self) -> dict[str, Any]:
        return {"name": self.name, "onnx": self.onnx, "encoding": self.encoding,
                "weights": self.weights, "programs": dict(self.programs),
                "runtime": dict(self.runtime), "first_visit": self.first_visit}


def sizes_of(manifest: Manifest) -> Sizes:
    """The sizes of a pack; `onnx` is 0 where the manifest does not say."""
    facts = facts_of(manifest)
    programs = {name: program_bytes(manifest, name) for name in manifest.targets.named()}
    runtime = {name: visit_bytes(name) for name in programs}
    onnx = manifest.statistics.onnx_bytes if manifest.statistics else 0
    return Sizes(manifest.name, onnx, facts.encoding, manifest.weights.bytes, programs, runtime)


def visit_bytes(target: str) -> int:
    """Of the scripts and styles that a page may load for the target."""
    return sum(len(content) for url, content in runtime_files((target,)).items()
               if not url.endswith(".d.ts"))


def size_table(rows: Sequence[Sizes]) -> str:
    """One line per demo and, if there are several, their sum."""
    lines = [[row.name, size(row.onnx), f"{size(row.weights)} {row.encoding}",
              *(size(row.programs[t]) if t in row.programs else "–" for t in TARGETS),
              size(row.first_visit), _share(row.first_visit, row.onnx)] for row in rows]
    if len(rows) > 1:
        onnx, visits = sum(r.onnx for r in rows), sum(r.first_visit for r in rows)
        lines.append([f"{len(rows)} demos", size(onnx), size(sum(r.weights for r in rows)),
                      *(size(sum(r.programs.get(t, 0) for r in rows)) for t in TARGETS),
                      size(visits), _share(visits, onnx)])
    titles = [target.title for target in TARGETS.values()]
    return table(["", "ONNX", "weights", *titles, "first visit", "of ONNX"], lines)


def total_json(rows: Iterable[Sizes]) -> dict[str, int]:
    rows = list(rows)
    return {key: sum(getattr(row, key) for row in rows) for key in ("onnx", "weights",
                                                                    "first_visit")}


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"
