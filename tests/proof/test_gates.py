"""What encodings must keep, which one is taken, and what f16 arithmetic could hold."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxpress.compiler import Options, lower, press
from onnxpress.errors import ProofError
from onnxpress.ops.interpret import interpret
from onnxpress.pack.proof import F16
from onnxpress.proof.trace import f16_range, trace
from onnxpress.tasks.gates import COSINE, PSNR, choose_gate
from onnxpress.tasks.segmentation import IOU, class_map, iou
from onnxpress.weights.encodings import LARGE
from onnxpress.weights.shards import read_weights
from support.onnx_models import model, node
from support.tasks import answer_of, options_of

LIMIT = 65504 / 2


def quiet(where: str, reason: str) -> None:
    pass


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


@pytest.mark.parametrize("name, kind, shape, on_sample, on_noise", [
    ("image-classification", "logits", (1, 10), COSINE, COSINE),
    ("image-to-image", "logits", (1, 3, 8, 8), PSNR, PSNR),
    ("segmentation", "logits", (1, 5, 8, 8), IOU, COSINE),
    ("segmentation", "classes", (1, 8, 8), IOU, IOU),
    ("tensor", "logits", (1, 10, 1, 1), COSINE, COSINE),
    ("tensor", "logits", (2, 10), PSNR, PSNR),
])
def test_the_gate_follows_the_task_else_the_shape(
        name: str, kind: str, shape: tuple[int, ...], on_sample, on_noise) -> None:
    answer = answer_of(name, **({"kind": kind} if name == "segmentation" else {}))
    assert choose_gate(answer, 0, shape, sample=True) is on_sample
    assert choose_gate(answer, 0, shape, sample=False) is on_noise


def test_an_output_that_is_not_shown_is_judged_by_its_shape() -> None:
    answer = answer_of("segmentation", 1)
    assert choose_gate(answer, 0, (1, 7), sample=True) is COSINE
    assert choose_gate(answer, 0, (1, 7, 4), sample=True) is PSNR


@pytest.mark.parametrize("gate", [COSINE, PSNR, IOU])
def test_a_strain_of_one_is_the_limit(gate) -> None:
    assert gate.strain(gate.limit) == pytest.approx(1)
    assert gate.strain(gate.limit - 0.001) > 1


@pytest.mark.parametrize("gate", [COSINE, PSNR])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_a_number_holds_nowhere(gate, wrong: float) -> None:
    want = normal(1, 10).astype(np.float64)
    assert gate.measure(np.where(want > 0, wrong, want), want, None) < gate.limit
    assert gate.measure(want, want, None) >= gate.limit


def test_masks_share_their_area() -> None:
    want = np.zeros((40, 50), int)
    want[:, 25:] = 1
    got = want.copy()
    got[0, 24] = 1  # 1 more than 1000 pixels of either class
    assert iou(got, want) == pytest.approx((999 / 1000 + 1000 / 1001) / 2)
    want[0, 0] = 2  # one pixel of 2000: the legend leaves it out
    assert iou(got, want) == pytest.approx((998 / 1000 + 1000 / 1001) / 2)


def test_a_single_channel_is_cut_at_one_half() -> None:
    scores = np.array([[[[-1.0, 0.2], [0.6, 3.0]]]])
    logits = options_of("segmentation", kind="logits")
    probabilities = options_of("segmentation", kind="probabilities")
    assert class_map(scores, logits).tolist() == [[0, 1], [1, 1]]
    assert class_map(scores, probabilities).tolist() == [[0, 0], [1, 1]]
    two = np.stack([-scores, scores], axis=1).reshape(1, 2, 2, 2)
    assert class_map(two, logits).tolist() == [[0, 1], [1, 1]]


def net(nodes: list[onnx.NodeProto], shape: list[int], **weights: np.ndarray) -> onnx.ModelProto:
    for each in nodes:
        each.ClearField("name")  # onnxruntime wants them to differ
    return model(nodes, {"x": shape}, weights=weights)


def segmenter() -> onnx.ModelProto:
    """Two classes whose scores differ in the second digit: int8 hardly moves the scores and quite
    changes which is larger."""
    base = normal(1, 2048, 1, 1, seed=2)
    nodes = [node("Conv", "x a", "p"), node("Relu", "p", "q"), node("Conv", "q b", "y")]
    return net(nodes, [1, 3, 16, 16], a=normal(2048, 3, 1, 1, seed=1),
               b=np.concatenate([base, base + normal(1, 2048, 1, 1, seed=3, scale=0.01)]))


def test_a_segmentation_is_held_to_its_mask(tmp_path: Path) -> None:
    feeds = [{"x": normal(1, 3, 16, 16, seed=5)}]
    options = Options(weights="auto", feeds=feeds, answer=answer_of("segmentation"))
    tried = press(segmenter(), tmp_path / "mask", options).manifest.weights.tried
    assert (tried[0].encoding, tried[0].judged, tried[0].holds) == ("int8", "iou", False)
    assert tried[-1].holds
    # Without samples there is the noise alone, and its scores agree.
    tried = press(segmenter(), tmp_path / "noise",
                  replace(options, feeds=())).manifest.weights.tried
    assert [(t.encoding, t.judged, t.holds) for t in tried] == [("int8", "cosine", True)]


def classifier() -> onnx.ModelProto:
    """A dense layer large enough for int4; its inputs are not centred."""
    weights = {"d": normal(512, LARGE // 512, seed=4, scale=0.05)}
    return model([node("MatMul", "x d", "y")], {"x": [1, 512]}, weights=weights)


def test_auto_says_what_it_tried(tmp_path: Path) -> None:
    weights = press(classifier(), tmp_path, Options(weights="auto")).manifest.weights
    tried = weights.tried
    assert [(t.encoding, t.holds) for t in tried] == [("int4", False), ("int8", True)]
    assert weights.encoding == "int8" and weights.bytes == tried[-1].bytes
    assert tried[0].bytes < tried[1].bytes
    assert all(t.judged == "cosine" and t.limit == 0.999 for t in tried)
    assert tried[0].value < 0.999 <= tried[1].value


def test_an_encoding_that_was_asked_for_and_does_not_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProofError, match=r"from onnxruntime: cosine is 0\.99\d?, the limit"):
        press(classifier(), tmp_path, Options(weights="int4"))
    assert not list(tmp_path.iterdir())


def skewed() -> onnx.ModelProto:
    """One value of each output channel dwarfs the others, so int8 rounds those away; behind it a
    wide layer that does not care."""
    a = normal(64, 3, 5, 5, seed=1, scale=0.002)
    a[:, 0, 0, 0] = 1
    nodes = [node("Conv", "x a", "p", pads=[2] * 4), node("Conv", "p b", "y", pads=[1] * 4)]
    b = np.random.default_rng(2).uniform(-0.05, 0.05, (64, 64, 3, 3)).astype(np.float32)
    return net(nodes, [1, 3, 20, 20], a=a, b=b)


def test_sensitive_matrices_of_an_int8_pack_stay_in_f16(tmp_path: Path) -> None:
    """The first kernel is cut off along the x axis of its input, which is zero where its large
    weight stands, so only the small ones count."""
    feeds = normal(1, 3, 20, 20)
    feeds[:, 0] = 0
    options = Options(weights="int8", feeds=[{"x": feeds}],
                      answer=answer_of("image-to-image"))
    manifest = press(skewed(), tmp_path, options).manifest
    used = [t.encoding for t in manifest.weights.tensors if len(t.shape) == 4]
    assert sorted(used) == ["f16", "int8"]
    assert [t.holds for t in manifest.weights.tried] == [False, True]
    assert manifest.weights.tried[1].reason == "1 of 2 matrices stay in f16"
    assert any("stay in f16" in n.reason for n in manifest.notes)


def test_a_bias_is_not_fitted_to_the_inputs_of_the_proof(tmp_path: Path) -> None:
    """Behind a global pool an input is one pixel: its bias stays as it was."""
    weights = press(classifier(), tmp_path, Options(weights="int8")).manifest.weights
    graph = lower(classifier(), {}, quiet)
    stored = read_weights(weights, tmp_path)
    (product,) = [n for n in graph.nodes if n.op == "matmul"]
    assert np.array_equal(stored[product.inputs[2]], graph.constants[product.inputs[2]])
    assert not np.array_equal(stored[product.inputs[1]], graph.constants[product.inputs[1]])


def test_biases_take_the_mean_of_the_rounding_away(tmp_path: Path) -> None:
    source = model([node("Conv", "x w b", "y")], {"x": [1, 64, 4, 4]}, weights={
        "w": normal(96, 64, 1, 1, scale=0.1), "b": normal(96)})
    options = Options(weights="int8", bounds={"x": (0.0, 1.0)})
    manifest = press(source, tmp_path, options).manifest
    graph = lower(source, {}, quiet)
    weights = read_weights(manifest.weights, tmp_path)
    (conv,) = [n for n in graph.nodes if n.op == "conv2d"]
    kernel, bias = conv.inputs[1:3]
    feeds = {"x": np.full((1, 64, 4, 4), 0.5, np.float32)}
    plain = graph.__class__(graph.inputs, graph.outputs, graph.nodes, graph.values,
                            {**graph.constants, kernel: weights[kernel]})
    better = graph.__class__(graph.inputs, graph.outputs, graph.nodes, graph.values,
                             {**plain.constants, bias: weights[bias]})
    want, rough, near = (interpret(g, feeds)["y"] for g in (graph, plain, better))
    # The proof's pixels are uniform in 0..1. The mean of 16 of them is 0.29 / 4 off 0.5, a seventh
    # of it, and so is what the correction leaves.
    assert np.abs(near - want).mean() < np.abs(rough - want).mean() / 2


def ranges(source: onnx.ModelProto, x: np.ndarray) -> F16:
    graph = lower(source, {}, quiet)
    return f16_range(graph, trace(graph, [{"x": x}]).peaks)


def test_an_overflow_in_the_middle_is_found() -> None:
    """RMS normalization of values around 300: squares of 90,000 in it, ones out of it."""
    nodes = [node("Mul", "x x", "square"), node("ReduceMean", "square", "mean", axes=[1]),
             node("Sqrt", "mean", "root"), node("Div", "x root", "y")]
    source = model(nodes, {"x": [1, 64]}, opset=13)
    x = np.full((1, 64), 300, np.float32)
    found = ranges(source, x)
    assert found == F16(False, "square", peak=90000, limit=LIMIT)
    assert ranges(source, x / 10) == F16(True, "square", peak=900, limit=LIMIT)


def test_a_sum_that_its_activation_hides_is_found() -> None:
    weights = {"w": np.full((8, 16, 1, 1), 400, np.float32), "b": np.zeros(8, np.float32)}
    nodes = [node("Conv", "x w b", "c"), node("Sigmoid", "c", "y")]
    found = ranges(model(nodes, {"x": [1, 16, 4, 4]}, weights=weights),
                   np.full((1, 16, 4, 4), 10, np.float32))
    assert not found.holds and found.peak == 64000


def test_an_exponential_that_overflows_to_the_right_result_is_no_harm() -> None:
    found = ranges(model([node("Sigmoid", "x", "y")], {"x": [1, 8]}),
                   np.linspace(-40, 40, 8, dtype=np.float32)[None])
    assert found.holds


@pytest.mark.parametrize("scale", [1e5, 1e-6])
def test_weights_that_f16_cannot_hold_stay_f32_with_a_note(tmp_path: Path, scale: float) -> None:
    """A norm between the layers brings the values back, so the output is as it should be."""
    source = net([node("MatMul", "x a", "p"), node("LpNormalization", "p", "q", p=2),
                  node("MatMul", "q b", "y")], [1, 64],
                 a=normal(64, 64, seed=1) * np.float32(scale), b=normal(64, 64, seed=2))
    manifest = press(source, tmp_path, Options(weights="f16")).manifest
    used = [t.encoding for t in manifest.weights.tensors if len(t.shape) == 2]
    assert sorted(used) == ["f16", "f32"]
    (note,) = [n for n in manifest.notes if "do not fit f16" in n.reason]
    assert note.where == manifest.f16.layer or scale > 1
    assert not manifest.f16.holds
