"""`onnxpress export`: one file, opened from a disk by a Chromium that reaches no network."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from onnxpress.browser import find_chromium
from onnxpress.cli import main
from onnxpress.export import carry, linked_runtime
from onnxpress.runtime_files import runtime_files
from site_folder import copy_site, tags
from tab import Tab

NO_NETWORK = ("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9",
              "--proxy-bypass-list=<-loopback>")
DEMO = "document.querySelector('onnx-demo')"
ROOT = f"{DEMO}.shadowRoot"
WORKER = '  return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });'
PIXEL = f"""(() => {{ const c = {ROOT}.querySelector(".after canvas");
  return [...c.getContext("2d").getImageData(9, 9, 1, 1).data]; }})()"""
EXPECTED = f"""(async () => {{ const image = {DEMO}.querySelectorAll(".onnx-poster img")[1];
  await image.decode();
  const c = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
  c.drawImage(image, 0, 0);
  return [...c.getImageData(9, 9, 1, 1).data]; }})()"""


def export(spec: str, file: str) -> None:
    assert main(("export", f"docs/{spec}.yml", "--html", file)) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """sums.html and tint.html, alone in a folder whose name needs quoting."""
    folder = copy_site(tmp_path_factory.mktemp("export"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("sums", "tint"):
            export(name, f"a # disk/{name}.html")
        yield folder


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    if not find_chromium():
        pytest.skip("no Chromium; see tests/chromium.py")
    with Tab(flags=NO_NETWORK) as tab:
        yield tab


def run(tab: Tab, page: Path, query: str = "") -> None:
    """Opens the page and runs its demo on the first sample."""
    tab.open(page.resolve().as_uri() + query)
    tab.wait(f"!!{ROOT}?.querySelector('.foot:not([hidden])')")
    tab.js(f"void {DEMO}.run()")
    tab.wait(f"['done', 'failed'].includes({DEMO}.state)")
    assert tab.js(f"{DEMO}.state") == "done", tab.js(f"{ROOT}.textContent")


@pytest.mark.parametrize("target", ["wasm", "js", "webgpu"])
def test_every_target_gives_the_poster_s_answer(folder: Path, tab: Tab, target: str) -> None:
    run(tab, folder / "a # disk/sums.html", f"?target={target}")
    assert tab.js(f"{DEMO}.model.target") == target
    top = named(folder, "sums")["demo"]["samples"][0]["result"]["top"]
    bars = tab.js(f"{ROOT}.querySelector('.onnx-bars').innerText").split("\n")
    assert bars == [text for row in top
                    for text in (row["label"], f"{100 * row['score']:.1f} %")]
    assert tab.js(f"{DEMO}.model.notes") == [], "it runs in a worker, and its bytes are verified"
    assert tab.logs == []


def named(folder: Path, name: str) -> dict:
    packs = (json.loads(path.read_text())
             for path in (folder / ".cache/onnxpress/packs").glob("*/manifest.json"))
    return next(manifest for manifest in packs if manifest["name"] == name)


def test_a_picture_comes_out_as_the_poster_shows_it(folder: Path, tab: Tab) -> None:
    run(tab, folder / "a # disk/tint.html")
    seen, expected = tab.js(PIXEL), tab.js(EXPECTED)
    assert max(abs(a - b) for a, b in zip(seen, expected, strict=True)) <= 12  # WebP is lossy
    assert tab.js(f"getComputedStyle({ROOT}.querySelector('.run')).cursor") == "pointer"
    assert tab.js(f"[...{ROOT}.querySelectorAll('img')].every((i) => i.naturalWidth > 0)")
    assert tab.logs == []


def test_the_switch_of_targets_works_there_too(folder: Path, tab: Tab) -> None:
    run(tab, folder / "a # disk/sums.html", "?target=wasm")
    tab.js(f"""(() => {{ const s = {ROOT}.querySelector("select"); s.value = "js";
      s.dispatchEvent(new Event("change")); }})()""")
    tab.wait(f"{DEMO}.state == 'done' && {DEMO}.model?.target == 'js'")


def test_the_page_asks_for_nothing_and_spec_text_stays_text(folder: Path) -> None:
    page = folder / "a # disk/sums.html"
    found = tags(page)
    assert not [a for _, a in found if "onerror" in a]
    assert not [a for tag, a in found if tag == "link" or (tag == "script" and "src" in a)]
    pictures = [a["src"] for tag, a in found if tag == "img"]
    assert pictures and all(src.startswith("data:image/webp;base64,") for src in pictures)
    assert {a["type"] for tag, a in found if tag == "script"} == {"text/plain", "module"}


def test_the_same_inputs_give_the_same_bytes(folder: Path) -> None:
    export("sums", "again.html")
    first = (folder / "a # disk/sums.html").read_bytes()
    assert first == (folder / "again.html").read_bytes()
    shutil.rmtree(folder / ".cache/onnxpress/packs")
    for name in ("sums", "tint"):
        export(name, "again.html")
    assert (folder / "a # disk/tint.html").read_bytes() == (folder / "again.html").read_bytes()
    assert str(folder).encode() not in first


def test_sizes_are_stated_and_refusals_are_sentences(
        folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    export("tint", "tint.html")
    assert capsys.readouterr().out.startswith("tint.html: ")
    assert main(("export", "docs/tint.yml", "--html", "docs")) == 1
    assert "docs: cannot be written" in capsys.readouterr().err
    monkeypatch.setattr("onnxpress.export.MAX_BYTES", 1000)
    assert main(("export", "docs/tint.yml", "--html", "large.html")) == 1
    assert "docs/tint.yml: the page would have" in capsys.readouterr().err
    assert not (folder / "large.html").exists()


def test_the_whole_runtime_is_linked() -> None:
    files = linked_runtime(("webgpu", "wasm", "js"))
    assert set(runtime_files()) - set(files) == {"types.js"}
    for name, text in files.items():
        code = [line for line in text.split("\n") if not line.lstrip().startswith(("/*", "*"))]
        assert [line for line in code if '"./' in line or '"../' in line] == (
            [WORKER] if name == "carried.js" else []), name
    only = linked_runtime(("js",))
    assert "backends/webgpu.js" not in only and 'import("./backends/webgpu.js")' in only["model.js"]


def test_what_does_not_shrink_stays_as_it_is() -> None:
    assert carry("a.bin", bytes(100)).gzip
    assert not carry("a.bin", bytes(range(100))).gzip
