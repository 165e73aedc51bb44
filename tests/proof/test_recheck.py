"""`onnxpress verify`: a published folder or site proven again from its files alone."""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
from onnxpress.cli import main
from onnxpress.errors import PackError
from onnxpress.site.recheck import find_packs, recheck
from support.site_folder import copy_site, run


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two demos as `onnxpress build` writes it, and a MkDocs site in site/."""
    folder = copy_site(tmp_path_factory.mktemp("recheck"), built=True)
    with chdir(folder):
        assert not main(("build", "docs/sums.yml", "docs/tint.yml", "--out", "out", "--jobs", "1"))
    done = run(folder, "mkdocs", "build", "-q", "-f", "material.yml")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def out(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "out", tmp_path / "out"))


@pytest.mark.parametrize("where", ["out", "site", "site/assets/onnxpress"])
def test_folders_and_sites_are_proven_again(built: Path, where: str) -> None:
    names = {"sums", "tint"}
    paths = find_packs(built / where)
    assert names <= {path.stem for path in paths}
    for path in paths:
        pack = recheck(path)
        assert [check.build for check in pack.checks] == ["wasm relaxed", "wasm simd128"]
        assert pack.files > len(pack.manifest.weights.shards)


def test_the_javascript_program_runs_without_node(built: Path, monkeypatch: pytest.MonkeyPatch
                                                  ) -> None:
    monkeypatch.setenv("PATH", "")
    checks = recheck(built / "out/demos/tint.json", js=True).checks
    assert checks[-1].build == "js" and checks[-1].error <= checks[-1].tolerance


def test_the_report_says_what_was_tried(built: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(("verify", str(built / "out"), "--json")) == 0
    reports = json.loads(capsys.readouterr().out)
    assert [Path(r["manifest"]).stem for r in reports] == ["sums", "tint"]
    for report in reports:
        assert report["tried"][-1]["holds"] and report["tried"][-1]["bytes"] == report["bytes"]
        assert report["encoding"] == report["tried"][-1]["encoding"]
        assert report["f16"].keys() >= {"holds", "layer", "peak", "limit"}
        assert all(row["holds"] for row in report["proof"])
        assert all(c["error"] <= c["tolerance"] for c in report["checks"])
    assert main(("verify", str(built / "out"))) == 0
    assert "result, and the limit" in capsys.readouterr().out


@pytest.mark.parametrize("stem", ["weights", "webgpu", "js", "sample", "card", "thumbnail"])
def test_every_kind_of_file_is_checked(out: Path, stem: str) -> None:
    file = next((out / "demos").glob(f"{stem}-*"))
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(PackError, match=r"its sha256 is not|its name states another hash"):
        for path in find_packs(out):
            recheck(path)
    file.unlink()
    with pytest.raises(PackError, match=rf"{file.name}: cannot be read"):
        for path in find_packs(out):
            recheck(path)
