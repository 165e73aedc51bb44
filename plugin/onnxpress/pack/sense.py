"""Whether the parts of a manifest fit each other; runtime/load/sense.js says the same."""

from ..errors import PackError
from .manifest import Manifest


def require_sense(manifest: Manifest, where: str) -> None:
    """Raises PackError where parts of the manifest do not fit each other."""
    if len(manifest.golden.ranges) != len(manifest.inputs):
        raise PackError(f"{where}: golden.ranges: one range for each input is needed")
