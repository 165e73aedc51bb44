"""Packs: encodings, shards, proof, golden check; the same inputs give the same bytes."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxpress.compiler import Options, lower, press
from onnxpress.errors import ModelError, PackError, ProofError, UnsupportedError
from onnxpress.files import read_file, write_file
from onnxpress.manifest.manifest import Note, Port, read_manifest
from onnxpress.ops.interpret import interpret
from onnxpress.pack.values import to_json
from onnxpress.proof.golden import draw, golden, ranges
from onnxpress.proof.verify import Reference, expect, prove, require
from onnxpress.proof.written import Written
from onnxpress.tasks import PLAIN
from onnxpress.weights.encodings import plan
from onnxpress.weights.shards import SHARD_BYTES, read_weights, write_weights
from support.onnx_models import floats, model, node


def net() -> onnx.ModelProto:
    """A small classifier: convolution, pool, dense layer."""
    random = np.random.default_rng(3)
    weights = {"w": random.normal(0, 0.2, (16, 3, 3, 3)).astype(np.float32),
               "b": random.normal(0, 0.1, 16).astype(np.float32),
               "d": random.normal(0, 0.2, (16, 300)).astype(np.float32)}
    nodes = [node("Conv", "x w b", "c", pads=[1, 1, 1, 1]), node("Relu", "c", "r"),
             node("GlobalAveragePool", "r", "g"), node("Flatten", "g", "f"),
             node("MatMul", "f d", "y")]
    return model(nodes, {"x": [1, 3, 12, 12]}, weights=weights)


def test_a_tensor_may_span_shards(tmp_path: Path) -> None:
    big = np.random.default_rng(0).normal(0, 1, (SHARD_BYTES // 4 + 1000, 2)).astype(np.float32)
    tensors = {"a": floats(3), "big": big, "c": floats(5, 7)}
    weights = write_weights(tensors, plan(tensors, "f32"), tmp_path)
    assert len(weights.shards) == 3
    assert all(s.bytes <= SHARD_BYTES for s in weights.shards)
    got = read_weights(weights, tmp_path)
    assert all(np.array_equal(got[name], array) for name, array in tensors.items())


def test_files_are_named_by_content_and_checked(tmp_path: Path) -> None:
    entry = write_file(tmp_path, "weights", b"content", "bin")
    assert hashlib.sha256(b"content").hexdigest().startswith(entry.url[8:20])
    assert read_file(entry, tmp_path) == b"content"
    (tmp_path / entry.url).write_bytes(b"c0ntent")
    with pytest.raises(PackError, match="its sha256 is not the manifest's"):
        read_file(entry, tmp_path)
    (tmp_path / entry.url).unlink()
    with pytest.raises(PackError, match="cannot be read"):
        read_file(entry, tmp_path)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    packs = [press(net(), tmp_path / name, Options("net", weights="auto")) for name in "ab"]
    for one, other in zip(*(p.files for p in packs), strict=True):
        assert one.name == other.name and one.read_bytes() == other.read_bytes()
    assert str(tmp_path) not in json.dumps(to_json(packs[0].manifest))


def test_a_pack_holds_its_proof(tmp_path: Path) -> None:
    manifest = press(net(), tmp_path, Options("net")).manifest
    assert [(r.target, r.build) for r in manifest.proof] == [
        ("reference", "float64"), ("wasm", "relaxed"), ("wasm", "simd128"), ("webgpu", "f16")]
    *exact, half = manifest.proof
    assert all(r.holds and r.max_error_over_peak <= 1e-5 for r in exact)
    assert half.holds and half.max_error_over_peak <= 1e-2
    assert manifest.golden.outputs[0].peak > 0
    assert read_manifest(tmp_path / "manifest.json") == manifest


def test_wrong_weights_are_not_published(tmp_path: Path) -> None:
    source = net()
    manifest = press(source, tmp_path, Options("net")).manifest
    tampered = net()
    tampered.graph.initializer[2].raw_data = (
        1.01 * onnx.numpy_helper.to_array(source.graph.initializer[2])).astype("<f4").tobytes()
    graph = lower(source, {}, lambda where, why: None)
    feeds = {"x": np.random.default_rng(0).uniform(0, 1, (1, 3, 12, 12)).astype(np.float32)}
    exact = [list(interpret(graph, feeds).values())]
    expected = expect(Reference(tampered.SerializeToString()), [feeds], exact, quantized=False,
                      answer=PLAIN)
    written = Written(tmp_path, manifest.weights, manifest.targets)
    rows = prove(written, graph, expected).rows
    with pytest.raises(ProofError, match="net: reference float64 differs from onnxruntime"):
        require(rows, "net")
    with pytest.raises(ProofError, match="net: wasm relaxed differs from onnxruntime"):
        require(rows[1:], "net")


def test_the_yardstick_adds_whole_numbers_without_saturation() -> None:
    """Sums of u8 * s8 that leave 16 bits, where onnxruntime's own kernels may stop."""
    weights = np.full((64, 4), 127, np.int8)
    net = onnx.parser.parse_model("""<ir_version: 9, opset_import: ["" : 17]>
      sums (float[1,64] x) => (float[1,4] y) {
        one = Constant<value_float = 1.0>()
        none = Constant<value = uint8 {0}>()
        q = QuantizeLinear(x, one, none)
        d = DequantizeLinear(q, one, none)
        e = DequantizeLinear(W, one)
        y = MatMul(d, e)
      }""")
    net.graph.initializer.append(onnx.numpy_helper.from_array(weights, "W"))
    [found] = Reference(net.SerializeToString()).run({"x": np.full((1, 64), 255, np.float32)})
    assert (found == 64 * 255 * 127).all()


def test_auto_takes_the_smallest_encoding_that_holds(tmp_path: Path) -> None:
    small = press(net(), tmp_path / "auto", Options("net", weights="auto")).manifest
    large = press(net(), tmp_path / "f32", Options("net")).manifest
    assert small.weights.bytes < large.weights.bytes
    assert {r.judged for r in small.proof if r.target == "wasm"} == {"cosine"}
    assert [(t.encoding, t.holds) for t in small.weights.tried] == [("int8", True)]
    assert small.weights.encoding == "int8" and large.weights.encoding == "f32"
    assert [t.encoding for t in large.weights.tried] == ["f32"]
    assert not list((tmp_path / "auto").glob(".*"))


def test_a_dynamic_dimension_is_named(tmp_path: Path) -> None:
    dynamic = model([node("Relu", "x")], {"x": [1, "time"]})
    with pytest.raises((ModelError, UnsupportedError), match="time"):
        press(dynamic, tmp_path, Options())
    assert not list(tmp_path.iterdir())
    assert press(dynamic, tmp_path, Options(shapes={"x": (1, 5)})).manifest.inputs[0].shape == (
        1, 5)


def test_what_cannot_run_leaves_nothing(tmp_path: Path) -> None:
    odd = model([node("Unique", "x")], {"x": [9]})
    with pytest.raises(UnsupportedError, match="Unique"):
        press(odd, tmp_path / "out", Options())
    assert not (tmp_path / "out").exists()


def test_golden_inputs_follow_the_published_generator() -> None:
    ports = [Port("x", (2, 2), "f32"), Port("i", (3,), "i64")]
    bounds = ranges(ports, {"i": (0.0, 10.0)})
    feeds = draw(ports, bounds)
    state, stream = 1, []
    for _ in range(7):
        for shift in (13, -17, 5):
            state ^= (state << shift if shift > 0 else state >> -shift) & 0xFFFFFFFF
        stream.append((state >> 8) / 2**24)
    assert np.allclose(feeds["x"].ravel(), stream[:4], rtol=2**-23)
    assert feeds["i"].tolist() == [np.floor(10 * u) for u in stream[4:]]


def test_golden_keeps_a_spread_of_values() -> None:
    output = np.linspace(-3, 2, 10_000).astype(np.float32)
    kept = golden([(0, 1)], [output], metric="peak", tolerance=1e-3).outputs[0]
    assert len(kept.indices) == 256 and kept.indices[0] == 0
    assert kept.indices[-1] == 9999 and kept.peak == 3
    assert np.allclose(kept.values, output[list(kept.indices)], rtol=1e-7)


def test_a_target_without_a_kernel_is_left_out_and_said(tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(graph: object) -> None:
        raise UnsupportedError("no such kernel")

    monkeypatch.setitem(__import__("onnxpress.compiler").compiler.BUILDERS, "webgpu", lacking)
    manifest = press(net(), tmp_path, Options("net")).manifest
    assert set(manifest.targets.named()) == {"wasm", "js"}
    assert Note("webgpu", "left out: no such kernel") in manifest.notes


