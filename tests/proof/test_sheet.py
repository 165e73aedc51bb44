"""The proof sheet: its chain of hashes breaks in a sentence, and `verify` repeats it anywhere."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from markupsafe import escape
from onnxpress.cli import main
from onnxpress.errors import ModelError, OnnxPressError, PackError
from onnxpress.manifest.generated import SHEET_SCHEMA
from onnxpress.manifest.sheet import Sheet, read_sheet, seal, sheet_bytes
from onnxpress.model.download import admit_asked, read_url
from onnxpress.site import page, published_site
from onnxpress.site.proof_sheet import licences_of
from onnxpress.site.published_site import download_packs
from onnxpress.site.recheck import find_packs, recheck, verify_files
from onnxpress.site.sheet_words import key_figure, sheet_words
from onnxpress.spec import load_demo
from support.onnx_models import model, node
from support.page_server import PageServer
from support.site_folder import copy_site


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture site, with two demos in out/ as `onnxpress build` writes them."""
    folder = copy_site(tmp_path_factory.mktemp("sheet"), built=True)
    with chdir(folder):
        assert not main(("build", "docs/sums.yml", "docs/tint.yml", "--out", "out", "--jobs", "1"))
    return folder


@pytest.fixture
def out(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "out", tmp_path / "out"))


@pytest.fixture
def sheet(built: Path) -> Sheet:
    return read_sheet(built / "out/proofs/sums.json")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_chain_goes_from_the_source_to_the_manifest(built: Path, sheet: Sheet) -> None:
    read = {file.name: file for file in sheet.origin.files}
    recipe = next(built.rglob("models/**/tiny.py"))
    assert read["tiny.py"].role == "recipe" and read["tiny.py"].sha256 == sha256(recipe)
    assert read["rocket.jpg"].role == "sample"
    assert sheet.origin.key and sheet.origin.parts.keys() >= {"code", "demo", "sources", "files"}
    for file in sheet.files:
        path = built / "out/demos" / file.name
        assert (file.bytes, file.sha256) == (path.stat().st_size, sha256(path))
    assert [file.role for file in sheet.files].count("manifest") == 1
    assert len(sheet.graph) == 64
    assert [note.where for note in sheet.unrun] == ["webgpu"]


def test_a_changed_byte_of_any_file_breaks_the_chain(out: Path) -> None:
    files = [path for folder in ("demos", "proofs") for path in sorted((out / folder).iterdir())
             if path.suffix != ".html"]
    packs = find_packs(out)
    assert len(files) > 20
    for file in files:
        whole = file.read_bytes()
        for at in {0, len(whole) // 2, len(whole) - 1, *range(0, len(whole), 997)}:
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            with pytest.raises(OnnxPressError) as found:
                for path in packs:
                    verify_files(path)
            assert len(str(found.value).splitlines()) == 1, f"byte {at} of {file}"
        file.write_bytes(whole)
    assert all(verify_files(path)[1] for path in packs)


def test_a_sheet_sealed_anew_must_still_fit_its_manifest(out: Path, sheet: Sheet) -> None:
    rows = tuple(replace(row, max_error_over_peak=0.0) for row in sheet.proof)
    (out / "proofs/sums.json").write_bytes(sheet_bytes(seal(replace(sheet, proof=rows))))
    with pytest.raises(PackError, match='"proof" of the proof sheet is not what the manifest says'):
        recheck(out / "demos/sums.json")


def test_a_pack_of_an_older_version_has_no_sheet(out: Path, capsys: pytest.CaptureFixture) -> None:
    (out / "proofs/sums.json").unlink()
    assert recheck(out / "demos/sums.json").sheet is None
    assert main(("verify", str(out))) == 0
    said = capsys.readouterr().out
    assert "There is no proof sheet" in said and "The proof sheet holds, from" in said


def test_sheets_keep_their_schema(built: Path) -> None:
    schema = json.loads(SHEET_SCHEMA.read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    for name in ("sums", "tint"):
        sheet = json.loads((built / f"out/proofs/{name}.json").read_text("utf-8"))
        validator.validate(sheet)
        del sheet["seal"], sheet["origin"]
        assert not validator.is_valid(sheet)


def test_the_page_has_the_figures_of_the_sheet(built: Path, sheet: Sheet) -> None:
    text = (built / "out/proofs/sums.html").read_text("utf-8")
    assert all(file.sha256 in text for file in (*sheet.origin.files, *sheet.files))
    assert all(words.error in text for words in sheet_words(sheet).errors)
    row = replace(sheet.proof[-2], max_error_over_peak=0.123)
    other = page.proof(replace(sheet, proof=(row,)), "")
    assert "1.2e-1" in other and "1.2e-1" not in text
    assert escape(key_figure(sheet)) in (built / "out/sums.html").read_text("utf-8")
    assert "1.2e-1 of an output" in key_figure(replace(sheet, proof=(row,)))


def test_a_compiled_model_has_a_sheet(tmp_path: Path) -> None:
    """Two outputs, each with an error of its own."""
    net = model([node("Relu", "x", "y"), node("Exp", "x", "z")], {"x": [3]}, ("y", "z"))
    path = tmp_path / "net.onnx"
    path.write_bytes(net.SerializeToString())
    assert main(("compile", str(path), "--out", str(tmp_path / "out"))) == 0
    sheet = recheck(tmp_path / "out/manifest.json").sheet
    assert sheet is not None and sheet.outputs == ("y", "z")
    assert [(f.role, f.name, f.sha256) for f in sheet.origin.files] == [
        ("model", "net.onnx", sha256(path))]
    assert all(len(row.outputs) == 2 and max(row.outputs) == row.max_error_over_peak
               for row in sheet.proof)
    assert [words.output for words in sheet_words(sheet).errors][:2] == ["y", "z"]


def test_licences_of_code_weights_and_data_stand_apart(built: Path) -> None:
    spec = built / "docs/tint.yml"
    demo = load_demo(spec, built / "models")
    parts = [one.part for one in licences_of(demo)]
    assert parts[:2] == ["page", "model"] and "data" not in parts
    card = replace(demo.card, licence="MIT", licences={"data": "CC-BY-4.0"})
    found = {one.part: one.licence for one in licences_of(replace(demo, card=card))}
    assert (found["code"], found["weights"], found["data"]) == ("MIT", "MIT", "CC-BY-4.0")


@pytest.fixture
def host(out: Path) -> Iterator[PageServer]:
    with PageServer({"/site/": out}) as host:
        yield host


@pytest.mark.parametrize(("place", "count"), [
    ("demos/sums.json", 1), ("sums.html", 1), ("proofs/tint.html", 1), ("home.html", 2)])
def test_a_published_site_is_verified(out: Path, host: PageServer, place: str, count: int,
                                      capsys: pytest.CaptureFixture) -> None:
    (out / "home.html").write_text('<script type="module" src="./onnxpress.js"></script>')
    assert main(("verify", f"{host.url}/site/{place}", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == count
    for one in found:
        assert one["manifest"].startswith(f"{host.url}/site/demos/") and one["sheet"]["seal"]
        assert all(check["error"] <= check["tolerance"] for check in one["checks"])


def test_what_does_not_match_on_a_site_is_said(out: Path, host: PageServer,
                                               capsys: pytest.CaptureFixture) -> None:
    shard = next((out / "demos").glob("wasm-*"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    assert main(("verify", f"{host.url}/site/home.html")) == 1
    assert "the host has no such page" in capsys.readouterr().err
    (out / "home.html").write_text("<p>nothing</p>")
    assert main(("verify", f"{host.url}/site/home.html")) == 1
    assert "this page has no demo" in capsys.readouterr().err
    (out / "home.html").write_text('<script src="./onnxpress.js"></script>')
    assert main(("verify", f"{host.url}/site/home.html")) == 1
    said = capsys.readouterr().err
    assert f"site/demos/{shard.name}: its sha256 is not the manifest's" in said
    assert "/tmp" not in said and len(said.splitlines()) == 1


@pytest.mark.parametrize(("url", "why"), [
    ("//example.org/a.bin", "leads away from"), ("../../../../etc/passwd", "no such file"),
    ("..%2f..%2fa.bin", "leads away from"), ("a.bin", "longer than")])
def test_a_pack_leads_nowhere_else(out: Path, host: PageServer, tmp_path: Path, url: str,
                                   why: str) -> None:
    path = out / "demos/sums.json"
    manifest = json.loads(path.read_bytes())
    manifest["weights"]["shards"][0]["url"] = url
    path.write_text(json.dumps(manifest), "utf-8")
    (out / "demos/a.bin").write_bytes(bytes(10_000))
    with pytest.raises(OnnxPressError, match=why):
        list(download_packs(f"{host.url}/site/demos/sums.json", tmp_path / "got"))


def test_all_packs_together_have_a_limit(host: PageServer, tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_site, "TOTAL_BYTES", published_site.PAGE_BYTES + 1000)
    with pytest.raises(PackError, match="the packs have more than"):
        list(download_packs(f"{host.url}/site/demos/sums.json", tmp_path))


def test_only_a_named_server_of_this_machine_speaks_http(host: PageServer,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="only https"):
        admit_asked("http://example.org/")("http://example.org/")
    with pytest.raises(ModelError, match="only https"):
        admit_asked("https://example.org/")(host.url)  # a redirect to this machine
    with pytest.raises(ModelError, match="leads to another"):
        admit_asked(host.url)("https://example.org/")
    monkeypatch.setenv("ONNXPRESS_OFFLINE", "1")
    with pytest.raises(ModelError, match="ONNXPRESS_OFFLINE"):
        read_url(host.url, 10, admit_asked(host.url))
