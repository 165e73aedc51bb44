"""Shards: compressed where that pays, unpacked piece by piece here and in a browser."""

import hashlib
import json
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxpress.cli import main
from onnxpress.emit.embed import embed
from onnxpress.emit.wasm.join import SLICE, join_module
from onnxpress.errors import BrowserError, PackError
from onnxpress.pack.values import to_json
from onnxpress.pack.weights import Packed, Weights
from onnxpress.run.browser import Browser
from onnxpress.runtime import RUNTIME
from onnxpress.weights import shards
from onnxpress.weights.compression import LEAST_SAVING, MAX_RATIO, PLANES, compress, decompress
from onnxpress.weights.encodings import plan
from onnxpress.weights.shards import SHARD_BYTES, read_weights, stream_weights, write_weights
from support.site_folder import copy_site

# sha256 of the pattern below, as zlib 1.2.13 and zlib-ng 2.3.3 compress it
DIGEST = "f371428da2820d2d2f1d4835320ae1e3a884961f1cef45d3bd3426f43f2927c6"
SMALL_SHARD = 1 << 12  # bytes, so that small tensors span several


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32)


def tensors() -> dict[str, np.ndarray]:
    """One within a shard, one over many, whole numbers, a scalar, an empty one."""
    return {"bias": normal(37), "large": normal(150, 160, seed=1), "none": np.zeros((0, 3), "f4"),
            "whole": np.round(40 * normal(90, 70, seed=2)).astype("f4"), "one": normal(),
            "last": normal(3, 3, 40, 20, seed=3)}


def write(constants: dict[str, np.ndarray], encoding: str, folder: Path) -> Weights:
    return write_weights(constants, plan(constants, encoding), folder)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", SMALL_SHARD)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("encoding", ["f32", "f16", "int8"])
def test_weights_come_back(tmp_path: Path, encoding: str) -> None:
    weights = write_weights(tensors(), plan(tensors(), encoding), tmp_path / "many")
    got = read_weights(weights, tmp_path / "many")
    assert len(weights.shards) > 3
    assert sum(s.bytes for s in weights.shards) == weights.bytes
    assert {p.stat().st_size for p in (tmp_path / "many").iterdir()} == {
        s.bytes for s in weights.shards}
    for name, array in tensors().items():
        # of the largest value: f16 keeps 11 bits; int8 rounds to a step of 1/127
        bound = {"f32": 0, "f16": 2**-11, "int8": 0.5 / 127}[encoding]
        assert np.abs(got[name] - array).max(initial=0) <= bound * np.abs(array).max(initial=0)


def test_bytes_of_one_significance_lie_together() -> None:
    values = normal(1 << 16)
    scaled = np.rint(values * 100).astype(np.int8)  # standard deviation 10: five bits and a half
    found = {array.dtype.itemsize: compress(array.tobytes())
             for array in (values, values.astype("f2"), scaled)}
    assert [(p.planes, p.raw) for _, p in found.values()] == [(4, 3), (2, 1), (1, 0)]
    for (content, packed), array in zip(found.values(), (values, values.astype("f2"), scaled),
                                        strict=True):
        assert len(content) < (1 - LEAST_SAVING) * array.nbytes
        assert decompress(content, packed, "here") == array.tobytes()


def test_what_hardly_shrinks_is_published_as_it_is() -> None:
    noise = np.random.default_rng(0).bytes(1 << 16)
    assert compress(noise) == (noise, None)
    scaled = np.rint(normal(1 << 16) * 300).astype(np.int8)  # standard deviation 30: seven bits
    assert compress(scaled.tobytes()) == (scaled.tobytes(), None)


def test_compressed_bytes_do_not_depend_on_the_machine() -> None:
    """Names are hashes of these bytes: another zlib must not rename a site's files. Integer
    arithmetic makes the pattern."""
    steps = np.arange(1 << 18, dtype=np.uint64)
    values = ((steps * 2654435761 >> 7) % 251 * (steps % 61) // 122).astype("<i2")
    content, packed = compress(values.tobytes())
    assert packed == Packed(bytes=1 << 19, planes=2, raw=0)
    assert hashlib.sha256(content).hexdigest() == DIGEST


def test_memory_holds_a_tensor_and_a_few_shards(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 1 << 18)
    array = normal(1 << 16, 2)  # two shards
    tracemalloc.start()
    tensors = {str(i): array for i in range(64)}
    weights = write_weights(tensors, plan(tensors, "f32"), tmp_path)
    for _ in stream_weights(weights, tmp_path):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len({s.url for s in weights.shards}) == 2 and len(weights.shards) == 128
    assert peak < 16 * (1 << 18)


LIES = {
    "fewer bytes": {"bytes": 1 << 15}, "more bytes": {"bytes": (1 << 16) + 4},
    "far more bytes": {"bytes": MAX_RATIO << 30}, "no bytes": {"bytes": 0},
    "less than none": {"bytes": -1}, "no number": {"bytes": "9"}, "three planes": {"planes": 3},
    "other planes": {"raw": 2}, "all planes": {"raw": 4}, "half a plane": {"raw": 2.5},
    "planes below the first": {"raw": -1},
}


def lying(lie: str) -> tuple[bytes, dict[str, Any]]:
    content, packed = compress(normal(1 << 14).tobytes())
    return content, {**to_json(packed), **LIES[lie]}


@pytest.mark.parametrize("lie", LIES)
def test_a_manifest_that_lies_is_refused(lie: str) -> None:
    content, packed = lying(lie)
    with pytest.raises(PackError, match=r"w\.bin: it does not unpack to the .*; build the pack"):
        decompress(content, Packed(**packed), "w.bin")


def test_what_is_not_compressed_is_refused() -> None:
    with pytest.raises(PackError, match=r"w\.bin: it does not unpack to the 8 bytes"):
        decompress(b"not deflated", Packed(bytes=8, planes=1, raw=0), "w.bin")


def test_the_script_holds_the_module_that_joins_planes() -> None:
    script = (RUNTIME / "load/join.js").read_text("utf-8")
    assert embed(script, "MODULE", join_module()) == script
    assert embed(script, "MODULE", b"another") != script
    with pytest.raises(ValueError, match="gives no string to NOTHING"):
        embed(script, "NOTHING", join_module())


def test_a_tensor_outside_the_shards_is_refused(tmp_path: Path) -> None:
    weights = write_weights({"w": normal(100)}, {"w": "f32"}, tmp_path)
    tensor = replace(weights.tensors[0], bytes=SHARD_BYTES)
    with pytest.raises(PackError, match="a tensor lies outside the shards"):
        read_weights(replace(weights, tensors=(tensor,)), tmp_path)


def test_demos_of_one_model_share_its_shards(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = copy_site(tmp_path / "site")
    monkeypatch.chdir(site)
    spec = (site / "docs/sums.yml").read_text()
    (site / "docs/again.yml").write_text(spec.replace("rocket.jpg", "coffee.png"))
    assert main(("build", "docs/sums.yml", "docs/again.yml", "--out", "out", "--jobs", "1")) == 0
    one, two = (json.loads((site / f"out/demos/{name}.json").read_text())
                for name in ("sums", "again"))
    assert one["demo"]["samples"] != two["demo"]["samples"]
    assert one["weights"]["shards"] == two["weights"]["shards"]
    assert {p.name for p in (site / "out/demos").glob("weights-*")} == {
        entry["url"] for entry in one["weights"]["shards"]}


# --- in the browser -------------------------------------------------------------------------------

STREAM = """
    import { streamWeights } from "/rt/load/weights.js";
    const load = async ({ url }) => (await fetch(`/pack/${url}`)).arrayBuffer();
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pack")


@pytest.fixture(scope="module")
def browser(chromium: None, folder: Path) -> Iterator[Browser]:
    runtimes = {f"/{name}/": RUNTIME for name in ("rt", *ENGINES)}
    with Browser({**runtimes, "/pack/": folder}) as browser:
        yield browser


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("encoding", ["f32", "f16", "int8"])
def test_a_browser_unpacks_the_same_numbers(
        browser: Browser, folder: Path, encoding: str) -> None:
    weights = write_weights(tensors(), plan(tensors(), encoding), folder)
    manifest = {"weights": to_json(weights)}
    got = browser.run(STREAM + """
        export const run = async (manifest) => {
          const all = [];
          for await (const one of streamWeights(manifest, { file: load })) all.push(one);
          return { value: all.map(({ name, stored, data }) =>
            [name, data.length, stored.encoding, stored.bytes.length, stored.shape]),
            body: all.map(({ data }) => data) };
        };
    """, manifest)
    wanted = read_weights(weights, folder)
    facts = {t["name"]: t for t in manifest["weights"]["tensors"]}
    flat = np.frombuffer(got.body, np.float32)
    assert sorted(name for name, *_ in got.value) == sorted(wanted)
    for name, length, stored, size, shape in got.value:
        np.testing.assert_array_equal(flat[:length].reshape(shape), wanted[name])
        assert (stored, size) == (facts[name]["encoding"], facts[name]["bytes"])
        flat = flat[length:]


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("encoding", ["f32", "f16"])
def test_what_a_backend_takes_as_it_arrives_is_whole(
        browser: Browser, folder: Path, encoding: str) -> None:
    """In runs of whole f32; some shards are halves and bytes, and what lies in them comes at the
    end."""
    weights = write_weights(tensors(), plan(tensors(), encoding), folder)
    manifest = {"weights": to_json(weights)}
    got = browser.run(STREAM + """
        export const run = async (manifest) => {
          const taken = new Map(), late = [], odd = [];
          const weights = streamWeights(manifest, { file: load });
          weights.into(({ name, bytes }) => {
            const whole = new Uint8Array(bytes);
            taken.set(name, whole);
            return (run, at) => {
              if (at % 4 || run.length % 4) odd.push(name);
              whole.set(run, at);
            };
          });
          for await (const { name, stored } of weights) {
            if (!taken.has(name)) late.push(name);
            else if (stored.bytes.length) odd.push(name);
          }
          return { value: { names: [...taken.keys()], late, odd }, body: [...taken.values()] };
        };
    """, manifest)
    wanted = read_weights(weights, folder)
    assert not got.value["odd"]
    assert sorted(got.value["names"] + got.value["late"]) == sorted(wanted)
    assert got.value["names"] or encoding != "f32"
    assert got.body == b"".join(wanted[name].tobytes() for name in got.value["names"])


@pytest.mark.usefixtures("small_shards")
def test_a_tensor_is_handed_on_before_the_last_shard_is_there(
        browser: Browser, folder: Path) -> None:
    """And a backend that is busy does not pile shards up."""
    manifest = {"weights": to_json(write_weights(tensors(), plan(tensors(), "f32"), folder))}
    began = browser.run(STREAM + """
        export const run = async (manifest) => {
          const { shards } = manifest.weights;
          let began = 0, release;
          const handedOn = new Promise((resolve) => { release = resolve; });
          const file = async (entry) => {
            began++;
            if (entry === shards.at(-1)) await handedOn;
            return load(entry);
          };
          const seen = [];
          for await (const { name } of streamWeights(manifest, { file })) {
            if (!seen.length) seen.push(began);
            if (name === "large") release();
          }
          return { value: [...seen, began] };
        };
    """, manifest).value
    assert began[0] <= 8 < len(manifest["weights"]["shards"]) == began[1]


# Name, and folder of a runtime of its own -> the page's WebAssembly; whether the module runs in it.
ENGINES = {
    "plain": ("WebAssembly", True),
    "without": ("undefined", False),
    "forbidden": ("{ Module: class { constructor() { throw new Error(); } } }", False),
}
COUNTS = (1, 15, 16, 17, 1000, SLICE + 33, 2 * SLICE)  # of values


@pytest.mark.parametrize("engine", ENGINES)
def test_a_browser_joins_planes_as_numpy_does(browser: Browser, engine: str) -> None:
    noise = np.random.default_rng(0)
    cases, contents, wanted = [], [], []
    for planes, count in product(PLANES, COUNTS):
        values = noise.bytes(planes * count)
        flat = np.frombuffer(values, np.uint8).reshape(-1, planes).T.tobytes()
        for raw in range(planes):
            head = raw * count
            contents.append(flat[:head] + zlib.compress(flat[head:]))
            cases.append({"bytes": len(values), "planes": planes, "raw": raw,
                          "size": len(contents[-1])})
            wanted.append(values)
    own, vectors = ENGINES[engine]
    got = browser.run(f"""
        export const run = async (cases, body) => {{
          const kept = globalThis.WebAssembly;
          const {{ join }} = await import("/{engine}/load/join.js");
          const {{ unpack }} = await import("/{engine}/load/unpack.js");
          const all = [];
          let at = 0;
          globalThis.WebAssembly = {own};
          try {{
            for (const {{ size, ...packed }} of cases) {{
              let end = 0;
              const content = body.slice(at, at += size);
              await unpack({{ url: "w.bin", packed }}, content, (run, start) => {{
                if (start !== end) throw new Error(`${{start}} follows ${{end}}`);
                end += run.length;
                all.push(run.slice());
              }});
            }}
            return {{ value: join([all[0], all[0]]).buffer.byteLength, body: all }};
          }} finally {{
            globalThis.WebAssembly = kept;
          }}
        }};
    """, cases, b"".join(contents))
    assert (got.value == 8 * SLICE) == vectors
    assert got.body == b"".join(wanted)


def test_a_bomb_is_refused_before_it_is_in_memory(browser: Browser) -> None:
    """A shard of 64 KiB that is said to hold as much, and inflates to a thousand times that."""
    code, taken = browser.run("""
        import { unpack } from "/rt/load/unpack.js";
        export const run = async (packed, body) => {
          const { write } = WritableStreamDefaultWriter.prototype;
          let taken = 0;
          WritableStreamDefaultWriter.prototype.write = async function (chunk) {
            await write.call(this, chunk);
            taken += chunk.length;
          };
          try {
            await unpack({ url: "w.bin", packed }, body, () => {});
          } catch ({ code }) {
            return { value: [code, taken] };
          } finally {
            WritableStreamDefaultWriter.prototype.write = write;
          }
        };
    """, {"bytes": 1 << 16, "planes": 1, "raw": 0}, zlib.compress(bytes(1 << 28), 9)).value
    assert code == "manifest" and taken <= 2 << 16


@pytest.mark.parametrize("lie", LIES)
def test_a_browser_refuses_a_manifest_that_lies(browser: Browser, lie: str) -> None:
    content, packed = lying(lie)
    with pytest.raises(BrowserError, match=r"w\.bin: it does not unpack to the") as caught:
        browser.run("""
            import { unpack } from "/rt/load/unpack.js";
            export const run = (packed, body) => unpack({ url: "w.bin", packed }, body, () => {});
        """, packed, content)
    assert caught.value.code == "manifest"


def test_a_browser_refuses_what_is_not_compressed(browser: Browser) -> None:
    with pytest.raises(BrowserError, match=r"w\.bin: it does not unpack to the 8 bytes"):
        browser.run("""
            import { unpack } from "/rt/load/unpack.js";
            export const run = (_, body) =>
              unpack({ url: "w.bin", packed: { bytes: 8, planes: 1, raw: 0 } }, body, () => {});
        """, body=b"not deflated")


def test_a_tensor_outside_the_shards_is_a_sentence(browser: Browser, folder: Path) -> None:
    manifest = {"weights": to_json(write_weights({"w": normal(100)}, {"w": "f32"}, folder))}
    manifest["weights"]["tensors"][0]["offset"] = SHARD_BYTES
    with pytest.raises(BrowserError, match='places the weights "w" outside its files') as caught:
        browser.run(STREAM + """
            export const run = (manifest) => streamWeights(manifest, { file: load }).next();
        """, manifest)
    assert caught.value.code == "manifest"


def test_an_old_browser_is_told_before_it_downloads(browser: Browser, folder: Path) -> None:
    manifest = {"weights": to_json(write_weights({"w": normal(4000)}, {"w": "f32"}, folder))}
    with pytest.raises(BrowserError, match="This browser is too old to unpack") as caught:
        browser.run(STREAM + """
            export const run = async (manifest) => {
              const { DecompressionStream } = globalThis;
              globalThis.DecompressionStream = undefined;
              const file = () => { throw new Error("downloaded"); };
              try {
                await streamWeights(manifest, { file }).next();
              } finally {
                globalThis.DecompressionStream = DecompressionStream;
              }
            };
        """, manifest)
    assert caught.value.code == "browser"
