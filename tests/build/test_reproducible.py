"""The same inputs give the same bytes: in another folder, at another time, on another machine."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto
from onnxpress.compiler import Options, press
from onnxpress.proof.yardstick import Reference
from support.onnx_models import model, node
from support.site_folder import content, copy_site

# MkDocs writes the day of the build into these; SOURCE_DATE_EPOCH fixes it.
MKDOCS_OWN = {"sitemap.xml", "sitemap.xml.gz"}
FEATURES = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
LATER = """
import time
now = time.time
time.time = lambda: now() + 40_000_000
"""


def build(folder: Path, umask: int, jobs: int, environment: dict[str, str]) -> dict[str, str]:
    """Path -> hash of all files of a site that is built without a cache."""
    copy_site(folder)
    config = folder / "material.yml"
    config.write_text(config.read_text().replace(
        "onnxpress]", f"{{onnxpress: {{concurrency: {jobs}}}}}]"))
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "material.yml"], cwd=folder,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", **environment}, text=True, umask=umask,
        capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    files = content(folder / "site")
    assert files.keys() > MKDOCS_OWN
    return {name: sha for name, sha in files.items() if name not in MKDOCS_OWN}


def test_two_builds_write_the_same_site(tmp_path: Path) -> None:
    one = build(tmp_path / "one", 0o022, 1, {
        "PYTHONHASHSEED": "1", "TZ": "Pacific/Auckland", "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "1"})
    (tmp_path / "later").mkdir()
    (tmp_path / "later/sitecustomize.py").write_text(LATER)
    two = build(tmp_path / "a longer name/zwei", 0o077, 2, {
        "PYTHONHASHSEED": "2", "TZ": "America/Lima", "LC_ALL": "C.UTF-8", "LANG": "tr_TR.UTF-8",
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "later"), os.environ.get("PYTHONPATH", "")]),
        "OPENBLAS_CORETYPE": "Prescott",
        "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
        "NPY_DISABLE_CPU_FEATURES": " ".join(FEATURES)})
    assert one == two


def net(kind: str) -> ModelProto:
    """Two convolutions, wide enough for their weights to be encoded; then a picture or classes."""
    random = np.random.default_rng(1)
    weights = {"a": random.normal(0, 0.2, (32, 3, 3, 3)),
               "b": random.normal(0, 0.06, (32, 32, 3, 3)), "c": random.normal(0, 0.1, (9, 32))}
    nodes = [node("Conv", "x a", "p", pads=[1] * 4), node("Relu", "p", "q"),
             node("Conv", "q b", "r", pads=[1] * 4)]
    ends = {"painter": [node("Sigmoid", "r")],
            "classifier": [node("GlobalAveragePool", "r", "s"), node("Flatten", "s", "t"),
                           node("Gemm", "t c", transB=1)]}
    nodes += ends[kind]
    for each in nodes:
        each.ClearField("name")
    return model(nodes, {"x": (1, 3, 12, 12)},
                 weights={n: w.astype(np.float32) for n, w in weights.items()})


@pytest.mark.parametrize("weights", ["f32", "f16", "int8", "auto"])
@pytest.mark.parametrize("kind", ["classifier", "painter"])
def test_a_processor_that_sums_in_another_order_writes_the_same_pack(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, weights: str) -> None:
    """onnxruntime's last bits differ between processors; noise stands for another one."""
    run, random = Reference.run, np.random.default_rng(5)

    def elsewhere(self: Reference, feeds) -> list[np.ndarray]:
        return [np.asarray(out * (1 + 3e-7 * random.standard_normal(out.shape)), out.dtype)
                for out in run(self, feeds)]

    press(net(kind), tmp_path / "here", Options(weights=weights))
    monkeypatch.setattr(Reference, "run", elsewhere)
    press(net(kind), tmp_path / "elsewhere", Options(weights=weights))
    assert content(tmp_path / "here") == content(tmp_path / "elsewhere")
