"""WGSL goes through a front end where the package wgpu finds a driver, and else that is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from onnxpress.compiler import Options, press
from onnxpress.errors import ProofError
from onnxpress.run import wgsl
from support.lavapipe import find_lavapipe
from support.onnx_models import model, node


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program for WebGPU in f32."""
    folder = tmp_path_factory.mktemp("shaders")
    source = model([node("MatMul", "x w")], {"x": [4, 8]}, weights={
        "w": np.random.default_rng(0).normal(0, 1, (8, 8)).astype(np.float32)})
    targets = press(source, folder, Options(targets=("webgpu",))).manifest.targets
    return folder / next(iter(targets.webgpu.files.values())).url


needs_a_driver = pytest.mark.skipif(not find_lavapipe(), reason="no driver in software")


@needs_a_driver
def test_every_shader_is_compiled(program: Path) -> None:
    found = wgsl.compile_shaders([program])
    assert found.shaders == len({s["code"] for s in json.loads(program.read_bytes())["shaders"]})
    assert not found.left_out and "shaders compiled by naga on" in str(found)


@needs_a_driver
def test_a_shader_that_is_not_valid_is_refused(program: Path, tmp_path: Path) -> None:
    broken = json.loads(program.read_bytes())
    broken["shaders"][0]["code"] += "fn more() -> f32 { return vec2f(1.0); }"
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    with pytest.raises(ProofError, match=r"^broken\.json: naga refuses a shader: "):
        wgsl.compile_shaders([tmp_path / "broken.json"])


def test_what_was_not_compiled_is_said(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wgsl, "find_spec", lambda name: None)
    assert str(wgsl.compile_shaders([program])) == (
        "no shaders compiled: the package wgpu is not installed; pip install onnxpress[webgpu]")


def test_a_driver_that_crashes_is_said(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wgsl, "run_child", lambda *arguments, **options: -11)
    assert "the driver ended before" in str(wgsl.compile_shaders([program]))
