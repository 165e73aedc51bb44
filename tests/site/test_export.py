"""`onnxpress export`: one file, opened from a disk by browsers that reach no network."""

import gzip
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxpress.cli import main
from onnxpress.model.frontends.recipe import run_recipe
from onnxpress.proof.yardstick import Reference
from onnxpress.runtime import runtime_files
from onnxpress.site.export import linked_runtime, pack_gzip
from onnxpress.words import size
from support.browsers import NAMES, open_browser
from support.firefox import Firefox
from support.page_server import PageServer
from support.site_folder import copy_site, tags
from support.tab import Tab

DEMO = "document.querySelector('onnx-demo')"
ROOT = f"{DEMO}.shadowRoot"
WORKER = '  () => startModule(new URL("./worker.js", import.meta.url)));'
PIXEL = f"""(() => {{ const c = {ROOT}.querySelector(".after canvas");
  return [...c.getContext("2d").getImageData(9, 9, 1, 1).data]; }})()"""
EXPECTED = f"""(async () => {{ const image = {DEMO}.querySelectorAll(".onnx-poster img")[1];
  await image.decode();
  const c = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
  c.drawImage(image, 0, 0);
  return [...c.getImageData(9, 9, 1, 1).data]; }})()"""
RUNS = [("chromium", "wasm"), ("chromium", "js"), ("chromium", "webgpu"),
        ("firefox", "wasm"), ("firefox", "js")]  # a headless Firefox has no adapter for WebGPU
RECIPES = {"sums": "tiny", "tint": "tint"}

Page = Tab | Firefox


def export(spec: str, file: str) -> None:
    assert main(("export", f"docs/{spec}.yml", "--html", file)) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """sums.html and tint.html, alone in a folder whose name needs quoting; the site of the same
    demos in site/."""
    folder = copy_site(tmp_path_factory.mktemp("export"), built=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in RECIPES:
            export(name, f"a # disk/{name}.html")
        assert main(("build", *(f"docs/{name}.yml" for name in RECIPES), "--out", "site")) == 0
        yield folder


@pytest.fixture(scope="module")
def browsers() -> Iterator[Callable[[str, bool], Page]]:
    """(one of NAMES, without a network?) -> its tab; each browser is started once."""
    with ExitStack() as opened:
        yield cache(lambda *how: opened.enter_context(open_browser(*how)))


@pytest.fixture
def page(request: pytest.FixtureRequest, browsers: Callable[[str, bool], Page]) -> Page:
    """A tab without a network, of the browser that the test names."""
    return browsers(request.param, True)


every_browser = pytest.mark.parametrize("page", NAMES, indirect=True)


def open_demo(page: Page, url: str) -> None:
    page.open(url)
    page.wait(f"!!{ROOT}?.querySelector('.foot:not([hidden])')")


def run(page: Page, url: str) -> None:
    """Opens the page and runs its demo on the first sample."""
    open_demo(page, url)
    page.js(f"void {DEMO}.run()")
    page.wait(f"['done', 'failed'].includes({DEMO}.state)")
    assert page.js(f"{DEMO}.state") == "done", page.js(f"{ROOT}.textContent")


def on_disk(folder: Path, name: str) -> str:
    return (folder / f"a # disk/{name}.html").as_uri()


def named(folder: Path, name: str) -> dict:
    return json.loads((folder / f"site/demos/{name}.json").read_text())


@pytest.mark.parametrize(("page", "target"), RUNS, indirect=["page"])
def test_every_target_gives_the_poster_s_answer(folder: Path, page: Page, target: str) -> None:
    run(page, on_disk(folder, "sums") + f"?target={target}")
    assert page.js(f"{DEMO}.model.target") == target
    top = named(folder, "sums")["demo"]["samples"][0]["result"]["top"]
    bars = page.js(f"{ROOT}.querySelector('.onnx-bars').innerText").split("\n")
    assert bars == [text for row in top
                    for text in (row["label"], f"{100 * row['score']:.1f} %")]
    assert page.js(f"{DEMO}.model.notes") == [], "it runs in a worker, and its bytes are verified"
    assert page.logs == []


@every_browser
def test_a_picture_comes_out_as_the_poster_shows_it(folder: Path, page: Page) -> None:
    run(page, on_disk(folder, "tint"))
    seen, expected = page.js(PIXEL), page.js(EXPECTED)
    assert max(abs(a - b) for a, b in zip(seen, expected, strict=True)) <= 12  # WebP is lossy
    assert page.js(f"getComputedStyle({ROOT}.querySelector('.run')).cursor") == "pointer"
    assert page.js(f"[...{ROOT}.querySelectorAll('img')].every((i) => i.naturalWidth > 0)")
    assert page.logs == []


@pytest.mark.parametrize(("page", "target"), RUNS, indirect=["page"])
def test_its_numbers_are_the_site_s_and_onnxruntime_s(
        folder: Path, page: Page, target: str, request: pytest.FixtureRequest,
        browsers: Callable[[str, bool], Page]) -> None:
    online = browsers(request.node.callspec.params["page"], False)
    with PageServer({"/": folder / "site"}) as site:
        for demo, recipe in RECIPES.items():
            manifest = named(folder, demo)
            feeds = {port["name"]: draw(port["shape"]) for port in manifest["inputs"]}
            here = outputs(page, on_disk(folder, demo), target, feeds)
            assert here == outputs(online, f"{site.url}/{demo}.html", target, feeds)
            model = run_recipe(folder / f"models/recipes/{recipe}.py", {})
            [expected] = Reference(model.SerializeToString()).run(feeds)
            [got] = [np.asarray(values).reshape(expected.shape) for values in here.values()]
            # The golden check's own tolerance, by its own measure.
            assert manifest["golden"]["metric"] == "peak"
            limit = manifest["golden"]["tolerance"] * np.abs(expected).max()
            assert np.abs(got - expected).max() <= limit


def draw(shape: list[int]) -> np.ndarray:
    return np.random.default_rng(7).random(shape, np.float32)


def outputs(page: Page, url: str, target: str, feeds: dict[str, np.ndarray]) -> dict[str, Any]:
    """What the model of the page's demo gives for `feeds`."""
    run(page, f"{url}?target={target}")
    assert page.js(f"{DEMO}.model.target") == target
    given = json.dumps({name: array.ravel().tolist() for name, array in feeds.items()})
    return page.js(f"""(async () => {{
      const pairs = (object, make) => Object.fromEntries(
        Object.entries(object).map(([name, values]) => [name, make(values)]));
      const inputs = pairs({given}, (values) => new Float32Array(values));
      return pairs(await {DEMO}.model.run(inputs), (values) => [...values]);
    }})()""")


@every_browser
def test_the_switch_of_targets_works_there_too(folder: Path, page: Page) -> None:
    run(page, on_disk(folder, "sums") + "?target=wasm")
    page.js(f"""(() => {{ const s = {ROOT}.querySelector("select"); s.value = "js";
      s.dispatchEvent(new Event("change")); }})()""")
    page.wait(f"{DEMO}.state == 'done' && {DEMO}.model?.target == 'js'")


@every_browser
def test_it_does_not_offer_itself(folder: Path, page: Page) -> None:
    open_demo(page, on_disk(folder, "sums"))
    assert not page.js(f"!!{ROOT}.querySelector('.save')")


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


def test_the_size_and_its_parts_are_stated_before_it_is_written(
        folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    stated, written = [], []

    def write(path: Path, chunks: Iterable[bytes]) -> None:
        stated.append(capsys.readouterr().out)
        written.extend(chunks)

    monkeypatch.setattr("onnxpress.cli.export.write_chunks", write)
    export("sums", "sums.html")
    whole = b"".join(written)
    assert whole == (folder / "a # disk/sums.html").read_bytes()
    carried = [len(text) for text in re.findall(rb'/weights-[^>]+>([^<]*)<', whole)]
    [line] = stated
    found = re.fullmatch(r"sums.html: ([^(]+) \(weights ([^,]+), programs [^,]+, runtime [^,]+, "
                         r"page and pictures [^,]+\)\n", line)
    assert found.groups() == (size(len(whole)), size(sum(carried)))


def test_what_is_too_large_or_cannot_be_written_leaves_nothing_behind(
        folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(("export", "docs/tint.yml", "--html", "docs")) == 1
    assert "docs: cannot be written" in capsys.readouterr().err
    monkeypatch.setattr("onnxpress.site.export.MAX_BYTES", 1000)
    assert main(("export", "docs/tint.yml", "--html", "large.html")) == 1
    assert "docs/tint.yml: the page would have" in capsys.readouterr().err
    assert not list(folder.glob("*large*")) and not list(folder.glob(".*.part"))


def test_every_python_packs_the_same_bytes() -> None:
    """zlib and gzip name their system in byte 9 of the header, each in its own way."""
    content = bytes(range(256)) * 300
    packed = pack_gzip(content)
    assert gzip.decompress(packed) == content
    assert packed[:10] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3])
    assert packed[10:] == gzip.compress(content, 9, mtime=0)[10:]


def test_the_whole_runtime_is_linked() -> None:
    files = linked_runtime(("webgpu", "wasm", "js"))
    left = set(runtime_files()) - set(files)
    apart = ("bench/", "proof/", "onnxpress.d.ts")  # pages of their own, and types
    assert all(name.startswith(apart) for name in left), left
    for name, text in files.items():
        code = [line for line in text.split("\n") if not line.lstrip().startswith(("/*", "*"))]
        assert [line for line in code if '"./' in line or '"../' in line] == (
            [WORKER] if name == "onnxpress.js" else []), name
    only = linked_runtime(("js",))
    assert "targets/webgpu.js" not in only
    assert 'import("./targets/webgpu.js")' in only["onnxpress.js"]
