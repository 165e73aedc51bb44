"""The caches: whole entries or none, found by content, rebuilt when damaged, shared by machines."""

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import onnx
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from onnxpress.build.cache import DAY, Cache, key_of, write_entry
from onnxpress.build.card_sources import local_files
from onnxpress.build.origin import demo_keys
from onnxpress.build.shared_cache import fetch_entry, store_entry
from onnxpress.errors import PackError
from onnxpress.model.external import external_files
from onnxpress.spec import load_demo
from support.onnx_models import floats, model, node
from support.paths import SPECS
from support.site_folder import content


def fill(folder: Path) -> None:
    (folder / "manifest.json").write_text("{}")
    (folder / "weights.bin").write_bytes(b"weights")


def test_an_entry_is_found_again(tmp_path: Path) -> None:
    assert Cache(tmp_path).find("key") is None
    entry = write_entry(tmp_path, "key", fill)
    assert Cache(tmp_path).find("key") == entry
    assert [p.name for p in (tmp_path / "packs").iterdir()] == ["key"]


@pytest.mark.parametrize("spoil", [
    lambda entry: (entry / "weights.bin").unlink(),
    lambda entry: (entry / "weights.bin").write_bytes(b"wEights"),
    lambda entry: (entry / "weights.bin").write_bytes(b""),
    lambda entry: (entry / "entry.json").write_text("{"),
    lambda entry: (entry / "entry.json").unlink(),
    lambda entry: (entry / "entry.json").write_text('{"key": "key", "files": 1}'),
    lambda entry: (entry / "more.js").write_text("alert(1)"),
])
def test_a_damaged_entry_is_built_again(tmp_path: Path, spoil) -> None:
    entry = write_entry(tmp_path, "key", fill)
    spoil(entry)
    assert Cache(tmp_path).find("key") is None
    write_entry(tmp_path, "key", fill)
    assert Cache(tmp_path).find("key") == entry


def test_damage_is_seen_although_size_and_time_stay(tmp_path: Path) -> None:
    """A disk flips a bit; a retrained model has the same size, and a checkout gives all files one
    time. The second look is by another process, the third by the same one."""
    entry = write_entry(tmp_path, "key", fill)
    first = Cache(tmp_path)
    assert first.find("key")
    weights, before = entry / "weights.bin", (entry / "weights.bin").stat()
    weights.write_bytes(b"wEights")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Cache(tmp_path).find("key") is None
    if os.name != "nt":  # which keeps no time of a file's last change
        assert first.find("key") is None


def test_the_key_follows_a_model_whose_size_and_time_stay(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"trained")
    (tmp_path / "a.yml").write_text("title: T\ntask: tensor\nmodel: net.onnx\n")
    demo = load_demo(tmp_path / "a.yml", tmp_path)
    first, before = demo_keys(demo, Cache(tmp_path)), (tmp_path / "net.onnx").stat()
    (tmp_path / "net.onnx").write_bytes(b"Trained")
    os.utime(tmp_path / "net.onnx", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert demo_keys(demo, Cache(tmp_path)) != first


def test_the_key_follows_weights_beside_the_model(tmp_path: Path) -> None:
    save(tmp_path / "net.onnx", "parts/net.onnx_data")
    (tmp_path / "a.yml").write_text("title: T\ntask: tensor\nmodel: net.onnx\n")
    demo = load_demo(tmp_path / "a.yml", tmp_path)
    data = tmp_path / "parts/net.onnx_data"
    assert local_files(demo.card.sources[0]) == [tmp_path / "net.onnx", data]
    first = demo_keys(demo, Cache(tmp_path))
    data.write_bytes(data.read_bytes()[::-1])
    assert demo_keys(demo, Cache(tmp_path)) != first


def save(path: Path, location: str) -> None:
    """A model whose two weights lie in the file `location` beside it."""
    net = model([node("Add", "x a", "h"), node("Mul", "h b")], {"x": (300,)},
                weights={"a": floats(300), "b": floats(300)})
    (path.parent / location).parent.mkdir(exist_ok=True)
    onnx.save_model(net, path, save_as_external_data=True, location=location, size_threshold=0)


@pytest.mark.parametrize("content", [
    b"", b"\x0a\x08location\x12", b"\x0a\x08location\x12\xff\xff\xff\xff\xff\xff",
    b"\x0a\x08location\x12\x03\xff\xfe\xfd", b"\x0a\x08location\x12\x00",
    b"\x0a\x08location\x12\x02a\0"])
def test_a_broken_model_names_no_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    assert external_files(tmp_path / "net.onnx") == []
    assert external_files(tmp_path / "none.onnx") == []


def test_what_earlier_versions_left_does_not_matter(tmp_path: Path) -> None:
    for text in ('["x"]', "{", '{"a": 1}'):
        (tmp_path / "digests.json").write_text(text)
        entry = write_entry(tmp_path, "key", fill)
        assert Cache(tmp_path).find("key") == entry


def test_a_build_that_dies_leaves_nothing(tmp_path: Path) -> None:
    def die(folder: Path) -> None:
        fill(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_entry(tmp_path, "key", die)
    assert not list((tmp_path / "packs").iterdir())


def test_many_builds_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(lambda _: write_entry(tmp_path, "key", fill), range(16)))
    assert len(set(entries)) == 1
    assert Cache(tmp_path).find("key") == entries[0]
    assert [p.name for p in (tmp_path / "packs").iterdir()] == ["key"]


def test_eviction_keeps_what_was_used_and_what_is_at_work(tmp_path: Path) -> None:
    for key in ("old", "new"):
        write_entry(tmp_path, key, fill)
    packs = tmp_path / "packs"
    for name, age in (("part-young", 0), ("part-dead", 2 * DAY)):
        (packs / name).mkdir()
        past = packs.stat().st_mtime - age
        os.utime(packs / name, (past, past))
    cache = Cache(tmp_path)
    assert cache.find("new")
    assert cache.evict() == 2
    assert sorted(p.name for p in packs.iterdir()) == ["new", "part-young"]


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "packs").write_text("a file stands here")
    with pytest.raises(PackError, match="the cache cannot be written"):
        write_entry(tmp_path, "key", fill)


def test_what_a_build_misses_is_not_the_cache_s_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-model"):
        write_entry(tmp_path, "key", lambda folder: (folder / "no-such-model").read_bytes())


@pytest.mark.parametrize("spoil", [
    lambda cache: cache.write_text("a file stands here"),
    lambda cache: (cache / "packs").mkdir(parents=True) or (cache / "packs").chmod(0o500),
    lambda cache: (cache / "packs").parent.mkdir() or (cache / "packs").write_text(""),
], ids=["a file", "read only", "a file inside"])
def test_without_a_cache_packs_are_built_for_this_time(
        tmp_path: Path, spoil: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    make = tempfile.mkdtemp

    def denied(*, prefix: str, dir: Path | None = None) -> str:  # root may write everywhere
        if dir and not dir.stat().st_mode & 0o200:
            raise PermissionError(13, "Permission denied", str(dir))
        return make(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, "mkdtemp", denied)
    folder, notes = tmp_path / "cache", []
    spoil(folder)
    cache = Cache(folder)
    assert cache.find("key") is None
    room = cache.room(notes.append)
    assert room != folder and "the cache cannot be written" in notes[0] and "cache_dir" in notes[0]
    entry = write_entry(room, "key", fill)
    assert cache.find("key") == entry and cache.room(notes.append) == room and len(notes) == 1
    assert Cache(folder).evict() == 0


def test_a_cache_that_can_only_be_read_is_read(tmp_path: Path) -> None:
    entry = write_entry(tmp_path, "key", fill)
    before = content(tmp_path)
    cache = Cache(tmp_path)
    assert cache.find("key") == entry and content(tmp_path) == before, "nothing is written"


def test_the_key_follows_what_decides_a_pack(tmp_path: Path) -> None:
    cache, demo = Cache(tmp_path), load_demo(SPECS / "good/everything.yml", SPECS / "models")

    def key(**changes) -> str:
        return demo_keys(replace(demo, **changes), cache)[0]

    same, sample = key(), demo.samples[0]
    assert key(description="Other words") == same, "prose changes pages, not packs"
    assert key(where="elsewhere.yml") == same
    assert key(card=replace(demo.card, citation="Someone else")) == same
    assert key(weights="f16") != same
    assert key(labels=("dog", "no")) != same
    assert key(samples=(replace(sample, title="Another"),)) != same
    assert key(samples=(replace(sample, path=sample.path.with_name("coffee.png")),)) != same
    [source] = demo.card.sources
    assert key(card=replace(demo.card, sources=(replace(source, sha256="1" * 64),))) != same
    assert key(card=replace(demo.card, sources=(source, source))) == same, "it does not serve"


def test_the_key_follows_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of({"a": 1})
    assert key_of({"a": 1}) == before
    monkeypatch.setattr("onnxpress.build.cache.code_version", lambda: "another")
    assert key_of({"a": 1}) != before


@pytest.fixture
def memory() -> str:
    url = f"memory://{uuid4().hex}/packs"
    yield url
    fsspec.filesystem("memory").store.clear()


def shared_copy(url: str, folder: Path) -> Path | None:
    """What another machine gets for "key"; it must not complain."""
    return fetch_entry(url, "key", folder, pytest.fail)


@pytest.mark.parametrize("store", ["memory", "file", "folder"])
def test_what_one_machine_stores_another_gets(tmp_path: Path, memory: str, store: str) -> None:
    url = {"memory": memory, "file": (tmp_path / "share/d").as_uri(),
           "folder": str(tmp_path / "share/d")}[store]
    assert shared_copy(url, tmp_path / "b") is None
    entry = write_entry(tmp_path / "a", "key", fill)
    store_entry(url, "key", entry)
    found = shared_copy(url, tmp_path / "b")
    assert found == tmp_path / "b/packs/key" == Cache(tmp_path / "b").find("key")
    assert content(found) == content(entry)
    left = [p.name for p in tmp_path.rglob("*") if "part" in p.name]
    assert not left, "nothing stays on the way"


def test_the_same_entry_is_the_same_archive(tmp_path: Path) -> None:
    for name in ("one", "two"):
        entry = write_entry(tmp_path / name, "key", fill)
        os.utime(entry / "weights.bin", (1, 1))
        store_entry(str(tmp_path / name / "share"), "key", entry)
    one, two = ((tmp_path / name / "share/key.zip").read_bytes() for name in ("one", "two"))
    assert one == two


def zipped(names: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, data in names.items():
            archive.writestr(name, data)
    return out.getvalue()


LISTED = json.dumps({"key": "key", "files": {"a": hashlib.sha256(b"a").hexdigest()}}).encode()
OTHER = LISTED.replace(b'"key": "key"', b'"key": "other"')


@pytest.mark.parametrize(("damaged", "sentence"), [
    (b"", "damaged"),
    (zipped({"entry.json": LISTED, "a": b"a"})[:-9], "damaged"),
    (zipped({"entry.json": LISTED, "a": b"b"}), "damaged, or has another key"),
    (zipped({"entry.json": LISTED}), "damaged, or has another key"),
    (zipped({"entry.json": LISTED, "a": b"a", "b": b"b"}), "damaged, or has another key"),
    (zipped({"entry.json": OTHER, "a": b"a"}), "damaged, or has another key"),
    (zipped({"entry.json": LISTED, "a": b"a", "../../b": b"b"}), 'it holds "../../b"'),
    (zipped({"entry.json": LISTED, "/a": b"a"}), 'it holds "/a"'),
    (zipped({"entry.json": LISTED, "a": b"a"}, zipfile.ZIP_DEFLATED), "which no pack has"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_damaged_or_foreign_entry_is_left_out(tmp_path: Path, memory: str, damaged: bytes,
                                                sentence: str) -> None:
    fsspec.filesystem("memory").pipe_file(f"{memory}/key.zip", damaged)
    notes: list[str] = []
    before = content(tmp_path)
    assert fetch_entry(memory, "key", tmp_path / "cache", notes.append) is None
    [note] = notes
    assert sentence in note and note.endswith("the pack is built again")
    assert content(tmp_path) == before and not Cache(tmp_path / "cache").find("key")
    store_entry(memory, "key", write_entry(tmp_path / "a", "key", fill))
    assert shared_copy(memory, tmp_path / "cache"), "the next build mends it"


def test_an_entry_that_is_whole_is_admitted(tmp_path: Path, memory: str) -> None:
    """The fixtures of the test above are wrong in one way each."""
    fsspec.filesystem("memory").pipe_file(f"{memory}/key.zip",
                                          zipped({"entry.json": LISTED, "a": b"a"}))
    assert shared_copy(memory, tmp_path)


class Failing(MemoryFileSystem):
    """A store with a password in its address that is down, or that only reads."""

    protocol = "failing"
    reads = False

    def get_file(self, place: str, *arguments: object, **named: object) -> None:
        raise FileNotFoundError(place) if self.reads else TimeoutError("no answer after 5 s")

    def put_file(self, *_: object, **__: object) -> None:
        raise PermissionError("AccessDenied")


def test_a_store_that_fails_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                            ) -> None:
    fsspec.register_implementation("failing", Failing, clobber=True)
    url = "failing://me:secret@bucket/packs"
    with pytest.raises(PackError) as read:
        fetch_entry(url, "key", tmp_path, pytest.fail)
    assert str(read.value) == ("failing://bucket/packs: the shared cache cannot be read "
                               "(TimeoutError: no answer after 5 s); packs are built here")
    monkeypatch.setattr(Failing, "reads", True)
    assert shared_copy(url, tmp_path) is None
    with pytest.raises(PackError, match=r"cannot be written \(PermissionError: AccessDenied\)"):
        store_entry(url, "key", write_entry(tmp_path, "key", fill))
    assert Cache(tmp_path).find("key"), "the build keeps its own"
    with pytest.raises(PackError, match="the shared cache cannot be read"):
        fetch_entry("nonsense://x", "key", tmp_path, pytest.fail)


def test_many_machines_at_once(tmp_path: Path) -> None:
    url = (tmp_path / "share").as_uri()
    entry = write_entry(tmp_path / "a", "key", fill)

    def work(i: int) -> Path | None:
        store_entry(url, "key", entry)
        return shared_copy(url, tmp_path / f"b{i % 3}")

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(24)))
    assert [p.name for p in (tmp_path / "share").iterdir()] == ["key.zip"]
