"""The plugin in real builds: MkDocs with three themes, ProperDocs, Zensical."""

import json
import shutil
from pathlib import Path

import onnx
import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort
from onnxpress.build.builds import Builds
from support.onnx_models import floats, model, node
from support.site_folder import content, copy_site, missing_files, run, tags

DEMO_PAGES = {"material": "sums/index.html", "mkdocs": "sums/index.html",
              "readthedocs": "sums.html", "properdocs": "sums/index.html"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all hosts: the packs are built once."""
    return copy_site(tmp_path_factory.mktemp("site"), built=True)


@pytest.mark.parametrize("theme", DEMO_PAGES)
def test_a_strict_build_is_clean(site: Path, theme: str) -> None:
    host = "properdocs" if theme == "properdocs" else "mkdocs"
    before = content(site / "docs")
    out = site / "out" / theme
    done = run(site, host, "build", "--strict", "-f", f"{theme}.yml", "-d", str(out))
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert content(site / "docs") == before, "nothing is written below docs_dir"

    page = out / DEMO_PAGES[theme]
    demos = [attributes for tag, attributes in tags(page) if tag == "onnx-demo"]
    assert len(demos) == 1
    manifest = (page.parent / demos[0]["src"]).resolve()
    assert json.loads(manifest.read_text())["name"] == "sums"
    scripts = [a for tag, a in tags(page) if tag == "script"]
    assert [a["type"] for a in scripts if "onnxpress.js" in (a.get("src") or "")] == ["module"]
    for html in out.rglob("*.html"):
        if html.name != "404.html":  # its addresses start at site_url
            assert not missing_files(out, html), html
    for url in _addresses(json.loads(manifest.read_text())):
        assert (manifest.parent / url).is_file(), url


def _addresses(value: object) -> list[str]:
    """All file names in a manifest."""
    if isinstance(value, dict):
        own = [v for k, v in value.items() if k in ("url", "thumbnail", "card", "before", "after")
               and isinstance(v, str)]
        return own + [u for v in value.values() for u in _addresses(v)]
    return [u for v in value for u in _addresses(v)] if isinstance(value, list) else []


def test_spec_text_stays_text(site: Path) -> None:
    out = site / "out/text"
    done = run(site, "mkdocs", "build", "-q", "-f", "mkdocs.yml", "-d", str(out))
    assert done.returncode == 0, done.stderr
    page = out / "sums/index.html"
    assert not [a for _, a in tags(page) if "onerror" in a]
    text = page.read_text("utf-8")
    assert "{{ 7*7 }}" in text.replace("&#123;", "{").replace("&#125;", "}").replace("&#42;", "*")
    assert "49" not in text.partition("<title>")[2].partition("</title>")[0]
    assert "<b>\"means\"" not in text


def test_the_gallery_leads_to_every_demo(site: Path) -> None:
    run(site, "mkdocs", "build", "-q", "-f", "readthedocs.yml", "-d", "out/gallery")
    links = [a["href"] for tag, a in tags(site / "out/gallery/index.html") if tag == "a"]
    assert {"sums.html", "tint.html"} <= set(links)


def test_a_benchmark_knows_its_pack_and_brings_its_script(site: Path) -> None:
    run(site, "mkdocs", "build", "-q", "-f", "readthedocs.yml", "-d", "out/gallery")
    page = site / "out/gallery/index.html"
    [bench] = [attributes for tag, attributes in tags(page) if tag == "onnx-bench"]
    assert bench["src"] == "assets/onnxpress/demos/sums.json"
    script = {"type": "module", "src": "assets/onnxpress/bench/element.js"}
    assert script in [attributes for tag, attributes in tags(page) if tag == "script"]
    assert not missing_files(site / "out/gallery", page)


def test_the_authors_words_stand_below_the_demo(site: Path) -> None:
    run(site, "mkdocs", "build", "-q", "-f", "mkdocs.yml", "-d", "out/words")
    text = (site / "out/words/tint/index.html").read_text("utf-8")
    places = [text.index(part) for part in ("<onnx-demo", "Words of the author", "<h2 id=\"how-it")]
    assert places == sorted(places)


def test_rebuilds_find_their_packs_and_change_nothing(site: Path,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    """What `mkdocs serve` does, twice: no worker starts, nothing watched is touched."""
    monkeypatch.chdir(site)
    run(site, "mkdocs", "build", "-q", "-f", "mkdocs.yml", "-d", "out/serve")
    config = load_config("mkdocs.yml", site_dir=str(site / "out/serve"))
    plugin = config.plugins["onnxpress"]
    config.plugins.on_startup(command="serve", dirty=False)
    watched = {**content(site / "docs"), **content(site / "models")}
    packs = content(site / ".cache/onnxpress/packs")
    times = {p: p.stat().st_mtime_ns for p in (site / "docs").rglob("*")}
    monkeypatch.setattr(Builds, "_workers", lambda _: pytest.fail("a pack is built again"))
    for _ in range(2):
        again = load_config("mkdocs.yml", site_dir=str(site / "out/serve"))
        assert again.plugins["onnxpress"] is plugin
        build(again)
    assert {**content(site / "docs"), **content(site / "models")} == watched
    assert {p: p.stat().st_mtime_ns for p in (site / "docs").rglob("*")} == times
    assert content(site / ".cache/onnxpress/packs") == packs
    config.plugins.on_shutdown()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A site of one page, to be spoiled."""
    copy_site(tmp_path)
    for name in ("sums.yml", "tint.yml", "tint.md", "deep/page.md", "index.md"):
        (tmp_path / "docs" / name).unlink()
    (tmp_path / "docs/index.md").write_text("# Home\n")
    return tmp_path


def refusal(site: Path, *options: str) -> str:
    done = run(site, "mkdocs", "build", "-f", "mkdocs.yml", *options)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_bad_spec_ends_the_build_with_a_sentence(small: Path) -> None:
    (small / "docs/bad.yml").write_text("title: Bad\ntask: tensor\nmodel: tiny\nweights: int7\n")
    assert ('docs/bad.yml:4: weights: "int7" is not one of f32, f16, int8, int4, auto. '
            'Did you mean "int8"?') in refusal(small)


def test_a_model_that_does_not_fit_names_the_spec(small: Path) -> None:
    (small / "docs/bad.yml").write_text(
        "title: Bad\ntask: image-classification\nmodel: tiny\nlabels: [one, two]\n"
        "samples:\n  - {image: 'package:skimage/data/rocket.jpg', title: R, licence: CC0}\n")
    assert "docs/bad.yml: there are 2 labels and the output has 3 classes" in refusal(small)


def test_a_fence_with_an_unknown_name(small: Path) -> None:
    (small / "docs/index.md").write_text("# Home\n\n```onnx-demo\nsmus\n```\n")
    assert 'index.md: onnx-demo: There is no spec "smus".' in refusal(small, "--strict")
    assert run(small, "mkdocs", "build", "-f", "mkdocs.yml").returncode == 0
    assert "There is no spec &#34;smus&#34;." in (small / "site/index.html").read_text("utf-8")


def test_a_spec_inside_a_page(small: Path) -> None:
    spec = "title: Inline\ntask: tensor\nmodel: tint\n"
    (small / "docs/index.md").write_text(f"# Home\n\n```onnx-demo\n{spec}```\n")
    done = run(small, "mkdocs", "build", "--strict", "-f", "mkdocs.yml")
    assert done.returncode == 0, done.stderr
    demos = [a for tag, a in tags(small / "site/index.html") if tag == "onnx-demo"]
    assert (small / "site" / demos[0]["src"]).is_file()
    (small / "docs/index.md").write_text(f"# Home\n\n```onnx-demo\n{spec}wieghts: f16\n```\n")
    assert "index.md, onnx-demo fence:4: wieghts: there is no such field" in refusal(small)


def test_a_page_runs_no_python_unless_the_site_allows_it(small: Path) -> None:
    """A change of one Markdown file runs nothing. Where specs in pages may name recipes, no other
    Python file is one."""
    page = "# Home\n\n```onnx-demo\ntitle: T\ntask: tensor\nmodel: {{python: {}}}\n" \
        "shapes: {{x: [1, 3, 8, 8]}}\n```\n"
    (small / "docs/index.md").write_text(page.format("models/recipes/tint.py"))
    assert "a spec inside a page runs no Python" in refusal(small)
    set_option(small, "inline_recipes: true")
    assert run(small, "mkdocs", "build", "--strict", "-f", "mkdocs.yml").returncode == 0
    (small / "tool.py").write_text("raise SystemExit('it runs')")
    (small / "docs/index.md").write_text(page.format("../tool.py"))
    assert "tool.py is not inside models/, where recipes are" in refusal(small)


def test_a_spec_of_the_site_is_inside_the_project(small: Path, tmp_path_factory) -> None:
    spec = tmp_path_factory.mktemp("outside") / "spec.yml"
    spec.write_text("title: T\ntask: tensor\nmodel: tint\n")
    (small / "docs/spec.yml").symlink_to(spec)
    assert "leads out of the project" in refusal(small)


def test_a_yaml_file_that_is_no_demo_is_left_alone(small: Path) -> None:
    (small / "docs/openapi.yml").write_text("openapi: 3.0.0\ninfo: {title: An API, version: '1'}\n")
    (small / "docs/odd.yml").write_text("odd: !ENV [NAME]\n---\nsecond: 1\n")
    done = run(small, "mkdocs", "build", "--strict", "-f", "mkdocs.yml")
    assert done.returncode == 0, done.stderr
    assert "docs/openapi.yml: left alone, for it has neither task nor model" in done.stderr
    (small / "docs/half.yml").write_text("task: tensor\n")
    assert "docs/half.yml:1: title is missing" in refusal(small)


def test_names_that_the_model_lacks_are_told(small: Path) -> None:
    """Before anything is compiled, and with the nearest name that it has."""
    spec = "title: T\ntask: tensor\nmodel: tint\n"
    for more, said in (("shapes: {y: [1, 2]}", 'shapes: the model has no input "y"'),
                       ("view: {controls: {strenght: {kind: constant, values: [1]}}}",
                        'view.controls: the model has no input "strenght". Did you mean "stre')):
        (small / "docs/bad.yml").write_text(f"{spec}{more}\n")
        assert f"docs/bad.yml: {said}" in refusal(small)


def test_a_site_without_a_cache_is_built(small: Path) -> None:
    """A container builds as another user, or from folders that it may only read."""
    (small / "docs/tint.yml").write_text("title: T\ntask: tensor\nmodel: tint\n")
    (small / ".cache").write_text("a file stands here")
    done = run(small, "mkdocs", "build", "--strict", "-f", "mkdocs.yml")
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "packs: the cache cannot be written" in done.stderr and "cache_dir" in done.stderr
    assert (small / "site/assets/onnxpress/demos/tint.json").is_file()


def test_an_unexpected_exception_ends_the_build_with_a_sentence(
        small: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> None:
        raise KeyError("something")

    monkeypatch.setattr("onnxpress.site.mkdocs_plugin.shared_files", broken)
    with pytest.raises(Abort):
        build(load_config(str(small / "mkdocs.yml")))
    assert "unexpected KeyError (test_plugin.py:" in caplog.text and "Traceback" not in caplog.text


def test_specs_and_models_stay_off_the_site(small: Path) -> None:
    """MkDocs copies all that lies in docs_dir. A model may be worth much, and may have been trained
    on what nobody may publish."""
    nets = small / "docs/nets"
    nets.mkdir()
    net = model([node("Add", "x w")], {"x": (300,)}, weights={"w": floats(300)})
    onnx.save_model(net, nets / "net.onnx", save_as_external_data=True, location="net.bin",
                    size_threshold=0)
    (nets / "page.onnx").write_bytes(
        model([node("Relu", "x")], {"x": (2,)}).SerializeToString())
    (nets / "other.onnx").write_bytes(b"no demo's")
    spec = "title: T\ntask: tensor\nmodel: {}.onnx\n"
    (small / "docs/net.yml").write_text(spec.format("nets/net"))
    (small / "docs/index.md").write_text(f"```onnx-demo\n{spec.format('nets/page')}```\n")
    shutil.move(small / "models", small / "docs/models")
    set_option(small, "models: docs/models")

    def published() -> set[str]:
        done = run(small, "mkdocs", "build", "--strict", "-f", "mkdocs.yml")
        assert done.returncode == 0, done.stderr
        return {name for name in content(small / "site")
                if name.endswith((".onnx", ".bin", ".yml", ".py")) and "assets" not in name}

    assert published() == {"nets/other.onnx"}, "what no demo names is the author's own matter"
    config = small / "mkdocs.yml"
    config.write_text(config.read_text().replace("models: docs/models",
                                                 "models: docs/models, publish_sources: true"))
    assert published() > {"net.yml", "nets/net.onnx", "nets/net.bin", "nets/page.onnx",
                          "models/tint.yml"}


HOOK = """
from mkdocs.plugins import event_priority

@event_priority(-100)
def on_files(files, config):
    assert all(file.abs_src_path and file.content_bytes is not None for file in files)

@event_priority(-100)
def on_env(env, config, files):
    on_files(files, config)
"""


def test_every_file_has_a_path(small: Path) -> None:
    """mkdocs-static-i18n asks each file for it; a file that is kept in memory has none."""
    (small / "docs/tint.yml").write_text("title: T\ntask: tensor\nmodel: tint\n")
    (small / "hook.py").write_text(HOOK)
    with (small / "mkdocs.yml").open("a") as config:
        config.write("hooks: [hook.py]\n")
    done = run(small, "mkdocs", "build", "--strict", "-f", "mkdocs.yml")
    assert done.returncode == 0, done.stderr
    assert (small / "site/tint/index.html").is_file()


def test_the_cache_must_stay_out_of_docs_dir(small: Path) -> None:
    set_option(small, "cache_dir: docs/.cache")
    assert "cache_dir: docs/.cache lies in docs_dir" in refusal(small)


def test_packs_of_removed_demos_are_evicted(small: Path) -> None:
    spec = small / "docs/tint.yml"
    spec.write_text("title: T\ntask: tensor\nmodel: tint\n")
    assert run(small, "mkdocs", "build", "-q", "-f", "mkdocs.yml").returncode == 0
    packs = small / ".cache/onnxpress/packs"
    assert len(list(packs.iterdir())) == 1
    spec.unlink()
    assert run(small, "mkdocs", "build", "-q", "-f", "mkdocs.yml").returncode == 0
    assert not list(packs.iterdir())


def set_option(site: Path, option: str) -> None:
    config = site / "mkdocs.yml"
    config.write_text(config.read_text().replace("onnxpress]", f"{{onnxpress: {{{option}}}}}]"))


def test_a_shared_cache_serves_the_next_machine(small: Path) -> None:
    spec = small / "docs/tint.yml"
    spec.write_text("title: T\ntask: tensor\nmodel: tint\n")
    set_option(small, "cache: share/packs")
    first = run(small, "mkdocs", "build", "--strict", "-f", "mkdocs.yml")
    assert "tint: compiled and proven" in first.stderr and "first visit" in first.stderr
    shutil.rmtree(small / ".cache")
    again = run(small, "mkdocs", "build", "--strict", "-f", "mkdocs.yml")
    assert "tint: taken from the shared cache" in again.stderr
    cached = run(small, "mkdocs", "build", "--strict", "-f", "mkdocs.yml")
    assert "1 pack from the cache" in cached.stderr and "first visit" not in cached.stderr
    spec.unlink()
    assert run(small, "mkdocs", "build", "-q", "-f", "mkdocs.yml").returncode == 0
    assert not list((small / ".cache/onnxpress/packs").iterdir())
    assert len(list((small / "share/packs").iterdir())) == 1, "what machines share stays"


def test_a_shared_cache_that_is_down_costs_a_sentence(small: Path) -> None:
    (small / "docs/tint.yml").write_text("title: T\ntask: tensor\nmodel: tint\n")
    set_option(small, "cache: 'nonsense://bucket/packs'")
    done = run(small, "mkdocs", "build", "--strict", "-f", "mkdocs.yml")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the shared cache cannot be read") == 1


def test_zensical_takes_built_packs(site: Path) -> None:
    done = run(site, "onnxpress.cli", "build", "docs/sums.yml", "--out", "docs/assets/onnxpress")
    assert done.returncode == 0, done.stderr
    assets = content(site / "docs/assets")
    done = run(site, "zensical", "build", "--strict", "-f", "zensical.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    page = site / "site/deep/page/index.html"
    demos = [a for tag, a in tags(page) if tag == "onnx-demo"]
    assert [a["name"] for a in demos] == ["sums"]
    assert (site / "site/assets/onnxpress/demos/sums.json").is_file()
    assert not missing_files(site / "site", page)
    again = run(site, "onnxpress.cli", "build", "docs/sums.yml", "--out", "docs/assets/onnxpress")
    assert again.returncode == 0
    assert content(site / "docs/assets") == assets


def test_each_demo_has_a_proof_sheet_outside_of_the_navigation(site: Path) -> None:
    for theme, sheet, demo in (("mkdocs", "sums/proof/index.html", "sums/index.html"),
                               ("readthedocs", "sums/proof.html", "sums.html"),
                               ("material", "tint/proof/index.html", "tint/index.html")):
        out = site / f"out/proof-{theme}"
        done = run(site, "mkdocs", "build", "-q", "-s", "-f", f"{theme}.yml", "-d", str(out))
        assert done.returncode == 0, done.stderr
        page = out / sheet
        assert not missing_files(out, page)
        [found] = [a for tag, a in tags(page) if tag == "onnx-proof"]
        assert (page.parent / (found["src"] or "")).is_file()
        links = [(out / demo).parent / a["href"] for tag, a in tags(out / demo)
                 if tag == "a" and "proof" in (a.get("href") or "")]
        assert [link.resolve() for link in links] == [
            page.parent.resolve() if theme != "readthedocs" else page.resolve()]
