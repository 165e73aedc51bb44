"""Builds: which source's pack is taken, when the network is asked, what machines share."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from onnxpress.build.builds import Builds, Built
from onnxpress.limits import Limits
from onnxpress.manifest.pack import finish
from onnxpress.spec import Card, Demo, Source
from support.manifests import bare_manifest
from support.tasks import options_of

MODEL = b"the model from the web"
PIN = hashlib.sha256(MODEL).hexdigest()


def press(demo: Demo, folder: Path, downloads: Path, progress: Callable[..., None],
          limits: Limits) -> None:
    """A pack that says what it is made from; workers import it from here."""
    progress("proving int8", 0.5)
    here = (downloads / PIN).is_file()
    finish(bare_manifest(name="url" if here else "file"), folder)


class Record:
    """A display that remembers how packs were had, and notes."""

    def __init__(self) -> None:
        self.had: list[str] = []
        self.notes: list[str] = []

    def stage(self, *_: object) -> None:
        pass

    def done(self, name: str, how: str, seconds: float) -> None:
        self.had.append(how)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        pass


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    (tmp_path / "fallback.onnx").write_bytes(b"the fallback")
    sources = (Source("card:1", url="https://nowhere.invalid/m.onnx", sha256=PIN),
               Source("card:2", file=tmp_path / "fallback.onnx"))
    return Demo("demo", "demo.yml", "Demo", "tensor", Card("m", "M", sources), options_of("tensor"))


def build(builds: Builds, *demos: Demo) -> Built:
    for one in demos:
        builds.start(one)
    return next(iter(builds.join().values()))


def test_a_fallback_s_pack_gives_way_to_the_wanted_one(
        demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, shows = tmp_path / "cache", Record()

    def new() -> Builds:
        shows.had.clear()
        return Builds(cache, 1, shows, press=press)

    monkeypatch.setenv("ONNXPRESS_OFFLINE", "1")
    first = build(new(), demo)
    assert first.manifest.name == "file" and shows.had == ["compiled and proven"]
    assert build(new(), demo).folder == first.folder and not shows.had, "no worker without network"

    monkeypatch.delenv("ONNXPRESS_OFFLINE")
    serving = new()
    found = build(serving, demo)
    assert (found.folder, found.seconds) == (first.folder, 0)
    assert shows.had == ["found again"], "the network is asked, and has nothing"
    assert build(serving, demo).folder == first.folder
    assert shows.had == ["found again"], "once a process: a rebuild while serving does not wait"

    (cache / "models").mkdir()
    (cache / "models" / PIN).write_bytes(MODEL)  # what a download leaves
    wanted = build(new(), demo)
    assert wanted.manifest.name == "url" and shows.had == ["compiled and proven"]
    monkeypatch.setenv("ONNXPRESS_OFFLINE", "1")
    again = new()
    assert build(again, demo).folder == wanted.folder and not shows.had
    assert again.cache.evict() == 1, "nobody needs the fallback's pack"


def test_machines_build_a_pack_once(demo: Demo, tmp_path: Path,
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONNXPRESS_OFFLINE", "1")
    shows = Record()
    for machine in ("one", "two"):
        build(Builds(tmp_path / machine, 1, shows, (tmp_path / "share").as_uri(), press), demo)
    assert shows.had == ["compiled and proven", "taken from the shared cache"]
    [archive] = (tmp_path / "share").iterdir()
    archive.write_bytes(archive.read_bytes()[:-1])
    build(Builds(tmp_path / "three", 1, shows, (tmp_path / "share").as_uri(), press), demo)
    assert shows.had[2:] == ["compiled and proven"]
    assert [archive.name in note for note in shows.notes] == [True]
    build(Builds(tmp_path / "four", 1, shows, (tmp_path / "share").as_uri(), press), demo)
    assert shows.had[3:] == ["taken from the shared cache"], "the damage is mended"


def test_a_store_that_is_down_stops_no_build(demo: Demo, tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONNXPRESS_OFFLINE", "1")
    shows = Record()
    (tmp_path / "file").write_text("no folder can be here")
    builds = Builds(tmp_path / "cache", 1, shows, (tmp_path / "file/share").as_uri(), press)
    others = [Demo(f"d{i}", "d.yml", "D", "tensor", demo.card, demo.output) for i in range(3)]
    build(builds, *others)
    assert shows.had == ["compiled and proven"] * 3
    assert len(shows.notes) == 1 and "the shared cache cannot be" in shows.notes[0]
