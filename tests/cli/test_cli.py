"""The command: what it writes, its exit status, its sentences."""

import json
import logging
import shutil
import threading
import urllib.request
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from onnxpress.cli import main
from onnxpress.cli.serve import Handler
from onnxpress.model.frontends.recipe import run_recipe
from onnxpress.spec import load_demo
from onnxpress.tasks import TASKS
from support.site_folder import SITES, copy_site, missing_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_site(tmp_path, built=True)
    monkeypatch.chdir(tmp_path)
    model = run_recipe(SITES / "models/recipes/tint.py", {})
    (tmp_path / "tint.onnx").write_bytes(model.SerializeToString())
    return tmp_path


SHAPE = ("--shape", "x=1x3x8x8")


def test_compile_and_verify(folder: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ("compile", "tint.onnx", "--out", "out", *SHAPE)
    assert main(arguments) == 0
    out = folder / "out"
    assert {"manifest.json", "onnxpress.js"} <= {p.name for p in out.iterdir()}
    manifest = json.loads((out / "manifest.json").read_text())
    assert list(manifest["targets"]) == ["webgpu", "wasm", "js"]
    assert main(("verify", "out")) == 0
    assert "wasm relaxed" in capsys.readouterr().out

    program = out / manifest["targets"]["wasm"]["files"]["relaxed"]["url"]
    program.write_bytes(program.read_bytes()[:-1])
    assert main(("verify", "out")) == 1
    assert "its sha256 is not the manifest's" in capsys.readouterr().err


def test_samples_of_compile_are_proven_on(folder: Path, capsys: pytest.CaptureFixture) -> None:
    def compiled(**arrays: np.ndarray) -> int:
        np.savez("sample.npz", **arrays)
        return main(("compile", "tint.onnx", "--out", "out", "--targets", "wasm", *SHAPE,
                     "--sample", "sample.npz"))

    image, strength = np.full((1, 3, 8, 8), 0.5), np.ones(1)
    assert compiled(x=image, strength=strength) == 0
    for x, sentence in (
        (image[0], "sample 1: x is 3x8x8; the model takes 1x3x8x8"),
        (image + np.inf, "sample 1: x holds numbers that are not finite"),
        (np.array([None]), "sample.npz: cannot be read as an .npz file of numbers"),
    ):
        assert compiled(x=x, strength=strength) == 1
        assert sentence in capsys.readouterr().err
    for arrays, sentence in (
        ({"y": image}, "sample 1 holds y; the model's inputs are strength, x"),
        ({}, "sample 1 holds nothing; the model's inputs are strength, x"),
    ):
        assert compiled(**arrays) == 1
        assert sentence in capsys.readouterr().err


def test_wrong_numbers_do_not_pass(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(("compile", "tint.onnx", "--out", "out", "--targets", "wasm", *SHAPE)) == 0
    path = folder / "out/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["golden"]["outputs"][0]["values"][0] += 0.1
    path.write_text(json.dumps(manifest))
    assert main(("verify", "out")) == 1
    assert "the manifest's sha256 is" in capsys.readouterr().err
    (folder / "out/proof.json").unlink()  # what a pack of an older version lacks
    assert main(("verify", "out")) == 1
    assert "wasm relaxed is off by" in capsys.readouterr().err


def test_build_writes_pages_that_need_no_generator(folder: Path) -> None:
    assert main(("build", "docs/sums.yml", "docs/tint.yml", "--out", "out", "--jobs", "1")) == 0
    for name in ("sums", "tint"):
        page = folder / f"out/{name}.html"
        assert "<onnx-demo src=" in page.read_text()
        assert not missing_files(folder / "out", page)
        assert (folder / f"out/demos/{name}.json").is_file()
    assert main(("verify", "out")) == 0


def test_results_as_json_stand_alone(folder: Path, capfd: pytest.CaptureFixture,
                                     caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "onnxpress")
    shutil.rmtree(folder / ".cache")
    assert main(("build", "docs/sums.yml", "docs/tint.yml", "--out", "out", "--json")) == 0
    report = json.loads(capfd.readouterr().out)
    assert "sums: compiled and proven" in caplog.text
    assert [demo["page"] for demo in report["demos"]] == ["out/sums.html", "out/tint.html"]
    for demo in report["demos"]:
        manifest = json.loads((folder / f"out/demos/{demo['name']}.json").read_text())
        assert demo["weights"] == sum(s["bytes"] for s in manifest["weights"]["shards"])
        assert list(demo["programs"]) == ["webgpu", "wasm", "js"]
        assert demo["first_visit"] == demo["weights"] + max(
            demo["programs"][t] + demo["runtime"][t] for t in demo["programs"])
        assert demo["seconds"] > 0
    assert report["total"]["first_visit"] == sum(d["first_visit"] for d in report["demos"])

    assert main(("build", "docs/tint.yml", "--out", "out", "--json")) == 0
    [demo] = json.loads(capfd.readouterr().out)["demos"]
    assert demo["seconds"] == 0, "it was in the cache"
    assert main(("export", "docs/tint.yml", "--html", "tint.html", "--json")) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["bytes"] == (folder / "tint.html").stat().st_size
    assert main(("compile", "tint.onnx", "--out", "plain", *SHAPE, "--json")) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["onnx"] == (folder / "tint.onnx").stat().st_size
    assert Path(report["manifest"]).is_file() and all(row["holds"] for row in report["proof"])
    assert main(("compile", "none.onnx", "--out", "plain", "--json")) == 1
    assert not capfd.readouterr().out


def test_a_build_ends_with_a_table_of_sizes(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(("build", "docs/sums.yml", "docs/tint.yml", "--out", "out")) == 0
    head, sums, tint, both, _ = capsys.readouterr().out.splitlines()
    assert head.split() == ["ONNX", "weights", "WebGPU", "WebAssembly", "JavaScript", "first",
                            "visit", "of", "ONNX"]
    assert sums.startswith("sums ") and tint.startswith("tint ") and both.startswith("2 demos ")


def test_the_cache_is_a_folder_or_a_url(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "onnxpress")
    url = f"file://{folder}/share"
    for cache, how in ((url, "compiled and proven"), ("other", "compiled and proven"),
                       (url, "taken from the shared cache")):
        shutil.rmtree(folder / ".cache", ignore_errors=True)
        assert main(("build", "docs/tint.yml", "--out", "out", "--cache", cache)) == 0
        assert f"tint: {how}" in caplog.text
        caplog.clear()
    assert len(list((folder / "other/packs").iterdir())) == 1


def test_explain(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(("explain", "tint.onnx", *SHAPE)) == 0
    assert "pointwise" in capsys.readouterr().out
    assert main(("explain", "docs/tint.yml", "--json", "--after", "import")) == 0
    assert json.loads(capsys.readouterr().out)["graph"]["inputs"] == ["x", "strength"]
    assert main(("explain", "tint.onnx", *SHAPE, "--after", "fuse_pointwse")) == 1
    assert 'Did you mean "fuse_pointwise"?' in capsys.readouterr().err


@pytest.mark.parametrize("task", TASKS)
def test_new_writes_a_spec_that_reads(folder: Path, task: str) -> None:
    assert main(("new", "my-demo", "--task", task, "--folder", "docs")) == 0
    shutil.copy("tint.onnx", "docs/my-demo.onnx")
    shutil.copy("tint.onnx", "docs/my-demo.jpg")
    (folder / "models/labels").mkdir()
    (folder / "models/labels/imagenet-1k.txt").write_text("one\n")
    demo = load_demo(folder / "docs/my-demo.yml", folder / "models")
    assert (demo.title, demo.task) == ("My demo", task)
    assert main(("new", "my-demo", "--folder", "docs")) == 1


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("compile", "none.onnx", "--out", "o"), "none.onnx: cannot be read: No such file"),
    (("compile", "tint.onnx", "--out", "o"), 'dimension 2 (H) is dynamic'),
    (("build", "none.yml", "--out", "o"), "none.yml: the spec cannot be read"),
    (("verify", "docs"), "there is no manifest.json"),
    (("new", "a b"), '"a b" cannot be part of a web address'),
    (("serve", "none"), "none: there is no such folder"),
])
def test_errors_are_sentences(folder: Path, capsys: pytest.CaptureFixture,
                              arguments: tuple[str, ...], sentence: str) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("onnxpress: ") and error.count("\n") == 1
    assert sentence in error


@pytest.mark.parametrize("arguments", [
    (), ("press",), ("compile", "a.onnx"), ("compile", "a.onnx", "--out", "o", "--shape", "x=1xa"),
    ("compile", "a.onnx", "--out", "o", "--targets", "wsam"),
])
def test_misuse_has_status_2(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_serve_sends_the_types_that_browsers_want(tmp_path: Path) -> None:
    for name in ("a.js", "a.wasm", "a.json"):
        (tmp_path / name).write_text("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        types = {name: urllib.request.urlopen(
            f"http://127.0.0.1:{server.server_port}/{name}").headers["Content-Type"]
            for name in ("a.js", "a.wasm", "a.json")}
    finally:
        server.shutdown()
        server.server_close()
    assert types == {"a.js": "text/javascript", "a.wasm": "application/wasm",
                     "a.json": "application/json"}
