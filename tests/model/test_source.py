"""Models come in whole or not at all: files, external data, pinned downloads."""

import hashlib
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxpress.errors import ModelError
from onnxpress.model.download import admit, fetch
from onnxpress.model.simplify import simplify
from onnxpress.model.source import load_card_model, read_model
from onnxpress.spec import Card, Source


def model(**external: str) -> onnx.ModelProto:
    """y = x + w; `external` are the entries of w's external data."""
    w = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    if external:
        w.data_location = TensorProto.EXTERNAL
        for key, value in external.items():
            w.external_data.add(key=key, value=value)
    else:
        w.raw_data = np.arange(4, dtype=np.float32).tobytes()
    port = helper.make_tensor_value_info
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g",
                              [port("x", TensorProto.FLOAT, [4])],
                              [port("y", TensorProto.FLOAT, [4])], [w])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize("content, sentence", [
    (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
    (b"<!DOCTYPE html><html>", "an HTML page"),
    (b"PK\x03\x04rest", "a zip archive"),
    (b'{"a": 1}', "JSON text"),
    (b"\x80\x02}q\x00.", "a Python pickle"),
    (b"", "it has no graph"),
    (b"\xff" * 64, "not an ONNX file, or cut short"),
])
def test_impostors_are_named(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=sentence):
        read_model(tmp_path / "m.onnx")


def test_truncated_model_is_refused(tmp_path: Path) -> None:
    data = model().SerializeToString()
    (tmp_path / "m.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match=r"m\.onnx: not an ONNX file"):
        read_model(tmp_path / "m.onnx")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"m\.onnx: this is not a plain file"):
        read_model(tmp_path / "m.onnx")


@pytest.mark.parametrize("name", ["w.bin", "Add", "y"])
def test_a_name_that_is_no_text_is_refused(name: str, tmp_path: Path) -> None:
    """protobuf hands over such a name as bytes, which no part of the compiler expects."""
    content = model(location="w.bin").SerializeToString()
    assert name.encode() in content
    spoiled = content.replace(name.encode(), b"\xff" * len(name))
    (tmp_path / "m.onnx").write_bytes(spoiled)
    (tmp_path / "w.bin").write_bytes(np.arange(4, dtype="<f4").tobytes())
    with pytest.raises(ModelError, match=r"the file is damaged: its .* is not UTF-8 text"):
        read_model(tmp_path / "m.onnx")


def test_external_data_inside_the_folder_is_read(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32)
    (tmp_path / "w.bin").write_bytes(values.tobytes())
    (tmp_path / "m.onnx").write_bytes(
        model(location="w.bin", offset="8", length="16").SerializeToString())
    w = onnx.numpy_helper.to_array(read_model(tmp_path / "m.onnx").graph.initializer[0])
    assert w.tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "a/../../secret", "..",
                                      "C:\\secret", "#../secret", "", "model_link"])
def test_external_data_stays_inside_the_folder(location: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model_link").symlink_to(tmp_path / "secret")
    (folder / "m.onnx").write_bytes(model(location=location).SerializeToString())
    with pytest.raises(ModelError, match="external data"):
        read_model(folder / "m.onnx")


@pytest.mark.parametrize("facts", [{"offset": "-4"}, {"offset": "60", "length": "16"},
                                   {"length": "-1"}, {"offset": "x"}])
def test_external_data_is_bounded(facts: dict, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(64))
    (tmp_path / "m.onnx").write_bytes(model(location="w.bin", **facts).SerializeToString())
    with pytest.raises(ModelError, match="external data"):
        read_model(tmp_path / "m.onnx")


def test_external_data_beside_the_target_of_a_link_is_read(tmp_path: Path) -> None:
    """The cache of a model hub has links to files that are named by their hashes. Package managers
    make hard links, which cannot be told from files."""
    hub, blobs, installed = (tmp_path / name for name in ("hub/snapshot", "hub/blobs", "installed"))
    for folder in (hub, blobs, installed):
        folder.mkdir(parents=True)
    (blobs / "aaa").write_bytes(model(location="w.bin").SerializeToString())
    (blobs / "bbb").write_bytes(bytes(16))
    for folder, link in ((hub, lambda to, at: at.symlink_to(to)), (installed, os.link)):
        link(blobs / "aaa", folder / "m.onnx")
        link(blobs / "bbb", folder / "w.bin")
        read_model(folder / "m.onnx")


def test_external_data_is_a_file(tmp_path: Path) -> None:
    """Reading a named pipe would wait for ever."""
    (tmp_path / "folder").mkdir()
    names = {"folder": "not a plain file", "n" * 5000: "cannot be read: File name too long"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        names["pipe"] = "not a plain file"
    for name, sentence in names.items():
        (tmp_path / "m.onnx").write_bytes(model(location=name).SerializeToString())
        with pytest.raises(ModelError, match=sentence):
            read_model(tmp_path / "m.onnx")


def test_external_data_of_a_branch_is_held_to_the_same_rules(tmp_path: Path) -> None:
    outer = model()
    branch = helper.make_graph([helper.make_node("Add", ["x", "t"], ["o"])], "then", [],
                               [helper.make_empty_tensor_value_info("o")],
                               [model(location="../secret").graph.initializer[0]])
    outer.graph.node.append(helper.make_node("If", ["w"], ["z"], then_branch=branch))
    (tmp_path / "m.onnx").write_bytes(outer.SerializeToString())
    with pytest.raises(ModelError, match="is not a plain path inside the model's folder"):
        read_model(tmp_path / "m.onnx")


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A local server: its address, and path -> content; a path "/to/X" redirects to X."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/to/"):
                self.send_response(302)
                self.send_header("Location", self.path.removeprefix("/to/"))
                self.end_headers()
            elif self.path in files:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(files[self.path])
            else:
                self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}", files
        httpd.shutdown()


def test_pinned_download_is_kept_and_reused(server, tmp_path: Path) -> None:
    address, files = server
    files["/m.onnx"] = content = model().SerializeToString()
    pin = hashlib.sha256(content).hexdigest()
    path = fetch(f"{address}/m.onnx", pin, tmp_path, 1 << 20, admit=lambda url: None)
    assert path.read_bytes() == content
    files.clear()
    assert fetch(f"{address}/m.onnx", pin, tmp_path, 1 << 20, admit=lambda url: None) == path
    assert [p.name for p in tmp_path.iterdir()] == [pin]


def test_a_download_says_how_far_it_is(server, tmp_path: Path) -> None:
    address, files = server
    files["/m.onnx"] = content = bytes(3_000_000)
    told: list[tuple[int, int]] = []
    fetch(f"{address}/m.onnx", hashlib.sha256(content).hexdigest(), tmp_path, 1 << 22,
          admit=lambda url: None, progress=lambda *one: told.append(one))
    assert [done for done, _ in told] == [1 << 20, 2 << 20, 3_000_000]


@pytest.mark.parametrize("change, limit, sentence", [
    (b"other", 1 << 20, "the content's sha256 is"), (b"x" * 999, 100, "longer than the 100 bytes")])
def test_wrong_download_leaves_nothing(server, tmp_path: Path, change: bytes, limit: int,
                                       sentence: str) -> None:
    address, files = server
    files["/m.onnx"] = change
    with pytest.raises(ModelError, match=sentence):
        fetch(f"{address}/m.onnx", "0" * 64, tmp_path, limit, admit=lambda url: None)
    assert not list(tmp_path.iterdir())


def test_missing_download_says_so(server, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be fetched"):
        fetch(f"{server[0]}/none", "0" * 64, tmp_path, 9, admit=lambda url: None)


@pytest.mark.parametrize("url, sentence", [
    ("http://example.org/m.onnx", "only https"), ("file:///etc/passwd", "only https"),
    ("https://127.0.0.1/m", "inside a private network"),
    ("https://169.254.169.254/latest", "inside a private network"),
    ("https://[::1]/m", "inside a private network")])
def test_only_public_https_is_admitted(url: str, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        admit(url)


def test_redirects_are_admitted_one_by_one(server, tmp_path: Path) -> None:
    address, _ = server

    def only_here(url: str) -> None:
        if not url.startswith(address):
            raise ModelError(f"{url}: refused")

    with pytest.raises(ModelError, match="metadata: refused"):
        fetch(f"{address}/to/http://127.0.0.1:1/metadata", "0" * 64, tmp_path, 9, admit=only_here)


def test_sources_are_tried_in_order(tmp_path: Path) -> None:
    (tmp_path / "good.onnx").write_bytes(model().SerializeToString())
    card = Card("m", "M", (Source("card:1", package="no_such_package/m.onnx"),
                           Source("card:2", file=tmp_path / "good.onnx")))
    loaded = load_card_model(card, tmp_path, {})
    assert loaded.source.where == "card:2"
    assert 'the Python package "no_such_package" is not installed' in loaded.refused[0]


def test_a_wrong_source_is_an_error_and_no_reason_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"<html>")
    (tmp_path / "good.onnx").write_bytes(model().SerializeToString())
    card = Card("m", "M", (Source("card:1", file=tmp_path / "bad.onnx"),
                           Source("card:2", file=tmp_path / "good.onnx")))
    with pytest.raises(ModelError, match=r"bad\.onnx: this is an HTML page"):
        load_card_model(card, tmp_path, {})
    pinned = Card("m", "M", (Source("card:1", file=tmp_path / "good.onnx", sha256="0" * 64),))
    with pytest.raises(ModelError, match="does not have the sha256"):
        load_card_model(pinned, tmp_path, {})


# Programs in place of onnxsim's, and what comes of each.
ENDS = {"import time; time.sleep(9)": "took over", "raise MemoryError": "ended with code 1",
        "raise OSError(28, 'No space left')": "ended with code 1",
        "import os; os.abort()": "ended with code "}


@pytest.mark.parametrize("program", ENDS)
def test_a_lack_of_time_memory_or_disk_is_an_error(
        program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more of them, the same model would give other bytes under the same cache key."""
    (tmp_path / "lacking.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setattr("onnxpress.model.simplify.CHILD", "lacking")
    if "sleep" in program:
        monkeypatch.setattr("onnxpress.model.simplify.TIMEOUT_SECONDS", 2)
    with pytest.raises(ModelError, match=f"onnxsim {ENDS[program]}.*simplify: false in the spec"):
        simplify(model(), {}, lambda where, why: None)


def test_a_full_folder_of_temporary_files_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ModelError, match="onnxsim cannot run: No space left on device; give it"):
        simplify(model(), {}, lambda where, why: None)


def test_a_model_that_onnxsim_cannot_simplify_is_used_as_it_is() -> None:
    notes: list[tuple[str, str]] = []
    given = model()
    given.graph.node[0].input[0] = "nothing makes it"
    assert simplify(given, {}, lambda where, why: notes.append((where, why))) is given
    assert notes == [("simplify", "onnxsim cannot simplify the model, which is used as it is")]


def test_onnxsim_is_left_out_where_the_author_says_so() -> None:
    notes: list[tuple[str, str]] = []
    given = model()
    assert simplify(given, {}, lambda where, why: notes.append((where, why)), False) is given
    assert notes == [("simplify", "onnxsim is left out, as asked")]


def test_simplify_folds_what_is_constant() -> None:
    given = model()
    given.graph.node[0].input[1] = "doubled"
    given.graph.node.insert(0, helper.make_node("Add", ["w", "w"], ["doubled"]))
    notes: list[tuple[str, str]] = []
    simple = simplify(given, {}, lambda where, why: notes.append((where, why)))
    assert [n.op_type for n in simple.graph.node] == ["Add"] and not notes
