"""The command: what it writes, its exit status, its sentences."""

import json
import shutil
import threading
import urllib.request
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from onnxpress.cli import main
from onnxpress.cli.serve import Handler
from onnxpress.source import run_recipe
from onnxpress.spec import TASKS, load_demo
from site_folder import SITES, copy_site, missing_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_site(tmp_path)
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


def test_wrong_numbers_do_not_pass(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(("compile", "tint.onnx", "--out", "out", "--targets", "wasm", *SHAPE)) == 0
    path = folder / "out/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["golden"]["outputs"][0]["values"][0] += 0.1
    path.write_text(json.dumps(manifest))
    assert main(("verify", "out")) == 1
    assert "wasm relaxed is off by" in capsys.readouterr().err


def test_the_same_inputs_give_the_same_bytes(folder: Path) -> None:
    for out in ("one", "two"):
        assert main(("compile", "tint.onnx", "--out", out, *SHAPE)) == 0
    names = {p.name for p in (folder / "one").iterdir() if p.is_file()}
    assert names == {p.name for p in (folder / "two").iterdir() if p.is_file()}
    for name in names:
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


def test_build_writes_pages_that_need_no_generator(folder: Path) -> None:
    assert main(("build", "docs/sums.yml", "docs/tint.yml", "--out", "out", "--jobs", "1")) == 0
    for name in ("sums", "tint"):
        page = folder / f"out/{name}.html"
        assert "<onnx-demo src=" in page.read_text()
        assert not missing_files(folder / "out", page)
        assert (folder / f"out/demos/{name}.json").is_file()
    assert main(("verify", "out")) == 0


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
