"""What a large model costs to build: VGG-16 has 553 MB of f32 weights."""

import sys
from pathlib import Path

import pytest
from support.memory import PROC, peak_memory
from support.paths import MODELS

LIMIT = 2.5e9  # bytes, of all processes together
SPEC = """title: VGG-16
task: image-classification
model: vgg16
weights: {weights}
samples:
  - {{image: "package:skimage/data/coffee.png", title: Coffee, licence: CC0}}
"""


@pytest.mark.large
@pytest.mark.skipif(not PROC.is_dir(), reason="memory is read from /proc")
@pytest.mark.parametrize("weights", ["f32", "auto"])
def test_vgg16_builds_in_bounded_memory(tmp_path: Path, weights: str) -> None:
    (tmp_path / "vgg.yml").write_text(SPEC.format(weights=weights))
    status, peak = peak_memory(
        [sys.executable, "-m", "onnxpress.cli", "build", "vgg.yml", "--models", str(MODELS),
         "--out", "out"], tmp_path)
    assert status == 0
    assert peak < LIMIT, f"{peak / 1e6:.0f} MB"
