"""Packs: encodings, shards, proof, golden check; the same inputs give the same bytes."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxpress.compiler import Options, lower, ports, press
from onnxpress.errors import ModelError, PackError, ProofError, UnsupportedError
from onnxpress.files import read_file, write_file
from onnxpress.graph.graph import Graph
from onnxpress.manifest.manifest import Note, Port, read_manifest
from onnxpress.pack.values import to_json
from onnxpress.proof.departure import first_departure
from onnxpress.proof.draws import Draw, draw
from onnxpress.proof.golden import golden
from onnxpress.proof.measure import Measured, Question, measure
from onnxpress.proof.verify import prove, require
from onnxpress.proof.written import Written
from onnxpress.proof.yardstick import Reference
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
        ("reference", "float64"), ("wasm", "relaxed"), ("wasm", "simd128"), ("js", "module"),
        ("webgpu", "f16")]
    *exact, half = manifest.proof
    assert all(r.holds and r.max_error_over_peak <= 1e-5 for r in exact)
    assert half.holds and half.max_error_over_peak <= 1e-2
    assert manifest.golden.outputs[0].peak > 0
    assert read_manifest(tmp_path / "manifest.json") == manifest


def tampered() -> onnx.ModelProto:
    """The small classifier, whose dense layer is a thousandth larger."""
    other = net()
    dense = onnx.numpy_helper.to_array(other.graph.initializer[2])
    other.graph.initializer[2].raw_data = (1.001 * dense).astype("<f4").tobytes()
    return other


def measured(source: onnx.ModelProto, graph: Graph) -> Measured:
    ask = Question(source, {}, graph, 10**6, ports(graph, graph.inputs), {}, [], PLAIN)
    return measure(ask, lambda where, why: None)


def test_a_model_that_gives_other_numbers_is_not_published(tmp_path: Path) -> None:
    """The graph is not what onnxruntime computes: the sentence has the element and both values."""
    manifest = press(net(), tmp_path, Options("net")).manifest
    graph = lower(net(), {}, lambda where, why: None)
    expected = measured(tampered(), graph).expected
    rows = prove(Written(tmp_path, manifest.weights, manifest.targets), graph, expected).rows
    said = (r"net: reference float64 differs from onnxruntime: "
            r'element \d+ of "y" is \S+ in float64 and \S+ by onnxruntime')
    with pytest.raises(ProofError, match=said):
        require(rows, "net")
    departs = first_departure(tampered(), graph, expected.inputs[0])
    assert re.match(r'; MatMul "y" departs first, \S+ and not \S+: cut the model', departs)


@pytest.mark.parametrize("target, build", [("wasm", "wasm relaxed"), ("js", "js module")])
def test_a_program_with_other_weights_is_not_published(tmp_path: Path, target: str, build: str
                                                       ) -> None:
    manifest = press(tampered(), tmp_path, Options("net", targets=(target,))).manifest
    graph = lower(net(), {}, lambda where, why: None)
    expected = measured(net(), graph).expected
    # The published weights pass for the graph's, so that the row is held to its limits.
    lossless = replace(graph, constants=read_weights(manifest.weights, tmp_path))
    rows = prove(Written(tmp_path, manifest.weights, manifest.targets), lossless, expected).rows
    assert rows[0].holds
    with pytest.raises(ProofError, match=f"net: {build} differs from the graph in .*; report it"):
        require(rows, "net")


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
    feeds = draw(ports, [(0.0, 1.0), (0.0, 10.0)])
    state, stream = 1, []
    for _ in range(7):
        for shift in (13, -17, 5):
            state ^= (state << shift if shift > 0 else state >> -shift) & 0xFFFFFFFF
        stream.append((state >> 8) / 2**24)
    assert np.allclose(feeds["x"].ravel(), stream[:4], rtol=2**-23)
    assert feeds["i"].tolist() == [np.floor(10 * u) for u in stream[4:]]


def test_golden_keeps_a_spread_of_values() -> None:
    output = np.linspace(-3, 2, 10_000).astype(np.float32)
    kept = golden(Draw(1, ((0, 1),)), [output], metric="peak", tolerance=1e-3).outputs[0]
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


