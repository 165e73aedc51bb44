"""The manifest of a pack: one JSON file that names all others and says how they fit together.

URLs in a manifest are relative to the manifest itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..errors import PackError
from ..files import FileEntry, json_bytes
from ..pack.proof import F16, Golden, ProofRow, YardstickName
from ..pack.shapes import KEY
from ..pack.targets import Targets
from ..pack.values import from_json, to_json
from ..pack.weights import Weights
from .demo import Demo

FORMAT = 1

Dtype = Literal["f32", "f64", "f16", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "bool"]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output, as in the ONNX model."""

    name: str
    shape: tuple[int, ...]
    dtype: Dtype


@dataclass(frozen=True, slots=True)
class Note:
    """A decision of the compiler."""

    where: str
    """a layer, a target, a build, ..."""
    reason: str


@dataclass(frozen=True, slots=True)
class Statistics:
    """Sizes of the model."""

    onnx_bytes: int
    """of the ONNX model, its weights included"""
    parameters: int
    flops: int
    """floating-point operations of one run"""
    operators: Mapping[str, int]
    """how many steps each operator has"""
    graph: str = ""
    """the sha256 of the simplified graph as text, which `onnxpress explain` prints"""


@dataclass(frozen=True, slots=True)
class OneFile(FileEntry):
    """The demo as one HTML file: a list of texts and file entries, whose base64 stands between
    the texts; see page/save.js."""

    total: int
    """bytes of the HTML file"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A pack: the model's weights, its program for each target, and their proof."""

    name: str
    onnxpress: Literal[1]
    """the format's version"""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    weights: Weights
    targets: Targets
    f16: F16 | None = None
    golden: Golden
    proof: tuple[ProofRow, ...]
    yardstick: YardstickName = "onnxruntime"
    """what the graph in float64 was compared with; "graph" where nothing else can run the model"""
    notes: tuple[Note, ...]
    statistics: Statistics | None = None
    demo: Demo | None = None
    """absent where a pack was compiled without a spec"""
    one_file: OneFile | None = field(default=None, metadata={KEY: "oneFile"})
    """the demo as one HTML file; absent inside that file itself"""

    def files(self) -> list[FileEntry]:
        """Shards and programs, each once for every place that names it."""
        return [*self.weights.shards,
                *(file for target in self.targets.named().values()
                  for file in target.files.values())]


def manifest_bytes(manifest: Manifest) -> bytes:
    """The manifest as the compact JSON that is published."""
    return json_bytes(to_json(manifest))


def read_manifest(path: Path) -> Manifest:
    """The manifest in the file at `path`.

    Raises:
        PackError: the file cannot be read, or is no manifest of this format.
    """
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise PackError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError:
        raise PackError(f"{path}: this is not a manifest of onnxpress: it is no JSON") from None
    return from_json(Manifest, value, str(path))
