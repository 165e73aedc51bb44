"""A site of two versions that mike made: what they share is stored once, and both still run."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from onnxpress.cli import main
from onnxpress.errors import PackError
from onnxpress.site.dedupe import FOLDER, dedupe, find_manifests
from onnxpress.site.recheck import recheck
from support.page_server import Answer, PageServer
from support.site_folder import content, copy_site, missing_files
from support.tab import Tab

DEMO = "document.querySelector('onnx-demo')"
VERSIONS = ("1.0", "2.0")


class SiteServer(PageServer):
    def answer(self, path: str) -> Answer:
        return super().answer(f"{path}index.html" if path.endswith("/") else path)


BIN = Path(sys.executable).parent  # mike runs mkdocs by its name
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
               "GIT_CONFIG_COUNT": "2", "NO_MKDOCS_2_WARNING": "1",
               "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "Test",
               "GIT_CONFIG_KEY_1": "user.email", "GIT_CONFIG_VALUE_1": "test@example.org"}


def call(folder: Path, *command: str | Path) -> None:
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, text=True, capture_output=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout of the published branch: the second version adds a sentence and renames a demo
    that keeps its model."""
    site = copy_site(tmp_path_factory.mktemp("mike") / "source", built=True)
    call(site, "git", "init", "-b", "main")
    call(site, "git", "commit", "--allow-empty", "-m", "Begin")
    for version in VERSIONS:
        if version == VERSIONS[1]:
            (site / "docs/tint.md").write_text("# Tint\n\nOther words\n")
            (site / "docs/tint.yml").rename(site / "docs/shade.yml")
        call(site, BIN / "mike", "deploy", "-F", "mkdocs.yml", version)
    pages = site.parent / "pages"
    call(site, "git", "worktree", "add", pages, "gh-pages")
    return pages


@pytest.fixture
def pages(versions: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(versions, tmp_path / "pages", symlinks=True))


def joined(manifest: Path) -> bytes:
    """The page in one file, as the button of a demo puts it together."""
    def read(entry: dict) -> bytes:
        return (manifest.parent / entry["url"]).read_bytes()

    parts = json.loads(read(json.loads(manifest.read_text())["oneFile"]))
    return b"".join(p.encode() if isinstance(p, str) else base64.b64encode(read(p)) for p in parts)


def heavy(pages: Path) -> list[str]:
    """Names of shards and programs, once for each copy."""
    return sorted(p.name for p in pages.rglob("*") if p.is_file() and p.name.partition("-")[0]
                  in ("weights", "wasm", "js", "webgpu") and ".git" not in p.parts)


def test_versions_share_and_every_demo_still_proves_itself(pages: Path) -> None:
    copies = heavy(pages)
    manifests = list(find_manifests(pages))
    assert len(manifests) == 4
    downloads = {m: joined(m) for m in manifests}
    report = dedupe(pages)
    assert heavy(pages) == sorted(set(copies)) and len(copies) > len(set(copies))
    assert {p.name for p in (pages / FOLDER).iterdir()} == {n for n in copies
                                                           if copies.count(n) > 1}
    assert report.before > report.after == sum(
        p.stat().st_size for p in pages.rglob("*") if p.name in set(copies))
    for manifest in manifests:
        assert recheck(manifest)
        assert joined(manifest) == downloads[manifest]
        assert not missing_files(pages, manifest.parents[3] / manifest.stem / "index.html")
        for sample in json.loads(manifest.read_text())["demo"]["samples"]:
            assert (manifest.parent / sample["url"]).is_file()


def test_it_can_be_done_again(pages: Path) -> None:
    first = dedupe(pages)
    after = content(pages)
    again = dedupe(pages)
    assert content(pages) == after
    assert (again.before, again.after) == (first.after, first.after)


def test_a_new_deployment_joins_in_and_what_nobody_needs_goes(pages: Path, versions: Path) -> None:
    dedupe(pages)
    first = content(pages)
    shutil.rmtree(pages / "2.0")
    shutil.copytree(versions / "2.0", pages / "2.0")  # as mike deploys a version again
    dedupe(pages)
    assert content(pages) == first
    shutil.rmtree(pages / "1.0")
    shutil.rmtree(pages / "2.0")
    shutil.copytree(versions / "2.0", pages / "2.0")
    dedupe(pages)
    assert not list((pages / FOLDER).iterdir())
    assert all(recheck(m) for m in find_manifests(pages))


@pytest.mark.parametrize("last", range(1, 9))
def test_each_version_works_at_every_moment(pages: Path, monkeypatch: pytest.MonkeyPatch,
                                            last: int) -> None:
    """The run ends at a write or a removal; the next one completes it."""
    twin = Path(shutil.copytree(pages, pages.with_name("twin")))
    dedupe(twin)
    whole = content(twin)
    left = [3 * last]

    def end(step: Callable) -> Callable:  # the power is gone
        def wrapped(*arguments: object, **named: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return step(*arguments, **named)
        return wrapped

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, end(getattr(Path, name)))
    with pytest.raises(KeyboardInterrupt):
        dedupe(pages)
    monkeypatch.undo()
    assert all(recheck(manifest) for manifest in find_manifests(pages))
    dedupe(pages)
    assert {n: s for n, s in content(pages).items() if not n.endswith(".part")} == whole


@pytest.fixture(scope="module")
def host() -> Iterator[SiteServer]:
    with SiteServer({}) as host:
        yield host


def test_both_versions_run_below_a_sub_path(pages: Path, host: SiteServer, tab: Tab) -> None:
    dedupe(pages)
    host.files = {"/a/b/": pages}
    for version in VERSIONS:
        tab.open(f"{host.url}/a/b/{version}/sums/")
        tab.wait(f"!!{DEMO}?.shadowRoot?.querySelector('.foot:not([hidden])')")
        tab.js(f"void {DEMO}.run()")
        tab.wait(f"['done', 'failed'].includes({DEMO}.state)")
        assert tab.js(f"{DEMO}.state") == "done", tab.js(f"{DEMO}.shadowRoot.textContent")
        files = sum(FOLDER in path for path in host.requests)
        tab.wait("caches.open('onnxpress').then((cache) => cache.keys())"
                 f".then((keys) => keys.length === {files})")
    fetched = {path: n for path, n in host.requests.items() if FOLDER in path}
    assert fetched and set(fetched.values()) == {1}, "the second version finds the first one's"


def spoil(pages: Path, change) -> None:
    manifest = next(p for p in find_manifests(pages) if p.name == "sums.json")
    value = json.loads(manifest.read_text())
    change(value)
    manifest.write_text(json.dumps(value))


@pytest.mark.parametrize(("wrong", "sentence"), [
    (lambda pages: next(pages.rglob("1.0/**/weights-*")).unlink(), "cannot be read"),
    (lambda pages: next(pages.rglob("1.0/**/wasm-*")).write_bytes(b"x"), "its sha256 is not the"),
    (lambda pages: (pages / "stable").mkdir() or (pages / "stable/now").symlink_to("../2.0"),
     "leads to a folder at another depth"),
    (lambda pages: spoil(pages, lambda m: m["weights"]["shards"][0].update(
        url="../../../../../../outside.bin")), "leads out of"),
    (lambda pages: spoil(pages, lambda m: m["weights"]["shards"][0].pop("url")),
     "weights.shards[0].url: it is missing"),
    (lambda pages: [m.unlink() for m in find_manifests(pages)], "there is no manifest"),
])
def test_what_is_wrong_is_said_and_nothing_changes(pages: Path, wrong, sentence: str,
                                                   capsys: pytest.CaptureFixture) -> None:
    wrong(pages)
    before = content(pages)
    assert main(("dedupe", str(pages))) == 1
    error = capsys.readouterr().err
    assert error.startswith("onnxpress: ") and error.count("\n") == 1 and sentence in error
    assert content(pages) == before


def test_links_at_the_same_depth_are_fine(pages: Path) -> None:
    (pages / "latest").symlink_to("2.0")
    dedupe(pages)
    assert recheck(pages / "latest/assets/onnxpress/demos/sums.json")


def test_the_command_says_what_it_saved(pages: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(("dedupe", str(pages), "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["manifests"] == 4 and report["after"] < report["before"]
    assert main(("dedupe", str(pages))) == 0
    assert "4 manifests" in capsys.readouterr().out
    with pytest.raises(PackError, match="there is no manifest"):
        dedupe(pages / FOLDER)
