"""The cache: whole entries or none, found by content, rebuilt when damaged."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from onnxpress.builds import demo_key
from onnxpress.cache import DAY, Cache, key_of, write_entry
from onnxpress.errors import PackError
from onnxpress.spec import load_demo

SPECS = Path(__file__).parent / "specs"


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
])
def test_a_damaged_entry_is_built_again(tmp_path: Path, spoil) -> None:
    entry = write_entry(tmp_path, "key", fill)
    spoil(entry)
    assert Cache(tmp_path).find("key") is None
    write_entry(tmp_path, "key", fill)
    assert Cache(tmp_path).find("key") == entry


def test_damage_is_seen_although_digests_are_remembered(tmp_path: Path) -> None:
    entry = write_entry(tmp_path, "key", fill)
    first = Cache(tmp_path)
    assert first.find("key")
    first.save()
    (entry / "weights.bin").write_bytes(b"wEights")
    assert Cache(tmp_path).find("key") is None


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


def test_the_key_follows_what_decides_a_pack(tmp_path: Path) -> None:
    cache, demo = Cache(tmp_path), load_demo(SPECS / "good/everything.yml", SPECS / "models")

    def key(**changes) -> str:
        return demo_key(replace(demo, **changes), cache, tmp_path)

    same, sample = key(), demo.samples[0]
    assert key(description="Other words") == same, "prose changes pages, not packs"
    assert key(where="elsewhere.yml") == same
    assert key(card=replace(demo.card, citation="Someone else")) == same
    assert key(weights="f16") != same
    assert key(labels=("dog", "no")) != same
    assert key(samples=(replace(sample, title="Another"),)) != same
    assert key(samples=(replace(sample, path=sample.path.with_name("coffee.png")),)) != same
    assert key(card=replace(demo.card, sources=())) != same


def test_the_key_follows_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of({"a": 1})
    assert key_of({"a": 1}) == before
    monkeypatch.setattr("onnxpress.cache.code_version", lambda: "another")
    assert key_of({"a": 1}) != before
