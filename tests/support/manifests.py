"""Manifests without a pack."""

from dataclasses import replace
from typing import Any

from onnxpress.manifest.manifest import FORMAT, Manifest
from onnxpress.pack.proof import Golden
from onnxpress.pack.targets import Targets
from onnxpress.pack.weights import Weights

BARE = Manifest(
    name="bare", onnxpress=FORMAT, inputs=(), outputs=(),
    weights=Weights(bytes=0, shards=(), tensors=()), targets=Targets(),
    golden=Golden(1, (), (), "peak", 0.0), proof=(), notes=())


def bare_manifest(**fields: Any) -> Manifest:
    """A manifest of nothing, but for these fields."""
    return replace(BARE, **fields)
