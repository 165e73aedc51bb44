"""Limits of single elements: right models pass, faults do not, and the yardstick is named."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnxpress.compiler import Options, lower, ports, press
from onnxpress.manifest.manifest import Manifest
from onnxpress.proof import measure
from onnxpress.proof.limits import F32_MAX, ROOM, UNIT, beyond, chain, excess, limit, rounded
from onnxpress.tasks import PLAIN
from support.cases import ROWS, Case
from support.onnx_models import model, node

F16 = TensorProto.FLOAT16


def normal(*shape: int, seed: int = 0, scale: float = 1.0, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, shape).astype(dtype)


def style(depth: int) -> onnx.ModelProto:
    """A net in f16 whose norms bring the rounding of every layer back to full size."""
    nodes, weights, value, channels = [], {}, "x", 3
    for i in range(depth):
        out = 16 if i < depth - 1 else 3
        weights[f"w{i}"] = normal(out, channels, 3, 3, seed=i, scale=(2 / channels / 9) ** 0.5,
                                  dtype=np.float16)
        nodes.append(node("Conv", f"{value} w{i}", f"c{i}", pads=[1] * 4))
        weights[f"s{i}"], weights[f"t{i}"] = np.ones(out, np.float16), np.zeros(out, np.float16)
        nodes.append(node("InstanceNormalization", f"c{i} s{i} t{i}", f"n{i}"))
        nodes.append(node("Relu", f"n{i}", f"r{i}"))
        value, channels = f"r{i}", out
    for each in nodes:
        each.ClearField("name")  # onnxruntime wants them to differ
    return model([*nodes, node("Sigmoid", value)], {"x": [1, 3, 32, 32]}, weights=weights,
                 types={"x": F16})


def masked() -> onnx.ModelProto:
    nodes = [node("Where", "m x low", "a"), node("Softmax", "a", axis=-1)]
    return model(nodes, {"x": [1, 3, 4, 16], "m": [16]}, types={"m": TensorProto.BOOL},
                 weights={"low": np.float32(-np.inf)})


def silent_detector() -> onnx.ModelProto:
    """A sigmoid whose peak is 1e-7 on most inputs: a detector that finds nothing."""
    nodes = [node("Conv", "x w", "a", pads=[1] * 4), node("Sub", "a deep", "b"),
             node("Sigmoid", "b")]
    return model(nodes, {"x": [1, 3, 24, 24]}, weights={
        "w": normal(4, 3, 3, 3, scale=0.01), "deep": np.float32(16)})


RIGHT = {
    "an output with infinities": model(
        [node("Add", "x w")], {"x": [1, 4]},
        weights={"w": np.float32([0, 0, -np.inf, -np.inf])}),
    "an output with NaN": model([node("Sqrt", "x")], {"x": [1, 40]}),
    "a mask with -inf": masked(),
    "a sum of a million squares": model([node("ReduceL2", "x", keepdims=0)], {"x": [1024, 2048]}),
    "three layers in f16": style(3),
    "five layers in f16": style(5),
    "cubic resizing in f16": model(
        [node("Resize", "x _ s", mode="cubic")], {"x": [1, 3, 16, 16]}, types={"x": F16},
        weights={"s": np.float32([1, 1, 2.5, 2.5])}),
    "a silent detector": silent_detector(),
    "a norm of numbers around 10,000": model(
        [node("Add", "x k", "a"), node("LayerNormalization", "a s")], {"x": [4, 64]}, opset=17,
        weights={"k": np.float32(1e4), "s": np.ones(64, np.float32)}),
}


def pressed(source: onnx.ModelProto, folder: Path) -> Manifest:
    return press(source, folder, Options(targets=("wasm", "js"))).manifest


@pytest.mark.parametrize("name", RIGHT)
def test_right_models_are_published(name: str, tmp_path: Path) -> None:
    manifest = pressed(RIGHT[name], tmp_path)
    assert manifest.yardstick == "onnxruntime"
    assert [row.target for row in manifest.proof] == ["reference", "wasm", "wasm", "js"]
    assert all(row.judged == "excess" and row.holds for row in manifest.proof)


ATROUS = model([node("Conv", "x w", auto_pad="SAME_UPPER", dilations=[2, 2])],
               {"x": [1, 3, 9, 9]}, weights={"w": normal(4, 3, 3, 3)})
OTHER = {
    "padding with dilations": (ATROUS, "onnx.reference"),
    "minimum of i16": (model([node("Min", "x z")], {"x": [40], "z": [40]}, types={
        "x": TensorProto.INT16, "z": TensorProto.INT16}), "onnx.reference"),
    "LRN of even size": (model([node("LRN", "x", size=4)], {"x": [1, 6, 4, 4]}), "graph"),
}


@pytest.mark.parametrize("name", OTHER)
def test_where_onnxruntime_cannot_run_a_model_the_yardstick_is_named(name: str, tmp_path: Path
                                                                     ) -> None:
    source, yardstick = OTHER[name]
    manifest = pressed(source, tmp_path)
    assert manifest.yardstick == yardstick
    (note,) = [n for n in manifest.notes if n.where == "proof"]
    assert note.reason.startswith("onnxruntime cannot run this model")


def test_every_element_has_a_limit_of_its_own() -> None:
    """Exact numbers from 1e-6 to 1e6 that move by a millionth: an error of a thousandth is a fault
    at each of them, although it is 1e-15 of the peak at the smallest."""
    exact = np.logspace(-6, 6, 4000)
    moved = exact * (1 + 1e-6 * np.random.default_rng(0).standard_normal(exact.shape))
    limits = limit(exact, [moved], UNIT)
    assert (limits < 1e-4 * exact).all() and (limits > 1e-6 * exact).all()
    assert excess(moved, exact, limits).max() < 1
    assert excess(exact * 1.001, exact, limits).min() > 1


def test_an_element_that_cancels_gets_the_room_of_its_like() -> None:
    """Sums of like rounding, some of which are nearly 0."""
    random = np.random.default_rng(0)
    exact = random.standard_normal(4000)
    moved = exact + 1e-6 * random.standard_normal(exact.shape)
    exact[7] = moved[7] = 1e-9  # this one did not move, by luck
    limits = limit(exact, [moved], UNIT)
    assert ROOM * 0.5e-6 < limits[7] < ROOM * 2e-6


@pytest.mark.parametrize("got, want, holds", [
    (np.nan, np.nan, True), (np.inf, np.inf, True), (-np.inf, np.inf, False), (1.0, np.nan, False),
    (np.nan, 1.0, False), (np.inf, 1.0, False), (3.0, 3.0, True)])
def test_what_is_not_finite_must_be_so_in_both(got: float, want: float, holds: bool) -> None:
    (over,) = excess(np.array([got]), np.array([want]), limit(np.array([want]), [], UNIT))
    assert (over <= 1) == holds


def test_numbers_beyond_f32_have_no_limit() -> None:
    exact = np.array([2 * F32_MAX, 1.0])
    limits = limit(exact, [], UNIT)
    assert excess(np.array([np.inf, 1.0]), exact, limits).max() == 0
    assert np.isfinite(limits[1])


def test_rounding_noise_is_what_f32_rounds() -> None:
    """A product of 512 terms in f32, against float64: noise of the graph is as large."""
    source = model([node("MatMul", "x w")], {"x": [64, 512]}, weights={"w": normal(512, 64)})
    graph = lower(source, {}, lambda where, why: None)
    x = normal(64, 512, seed=1)
    exact = x.astype(np.float64) @ normal(512, 64).astype(np.float64)
    forward = np.zeros((64, 64), np.float32)  # one term after the other, as the worst kernel
    for k in range(512):
        forward += x[:, k : k + 1] * normal(512, 64)[k : k + 1]
    real = np.square(forward - exact).mean() ** 0.5
    noise = np.square(rounded(graph, {"x": x}, 0)[0] - exact).mean() ** 0.5
    assert real / 4 < noise < 10 * real
    assert chain(graph) < 1e-5


def test_samples_of_a_large_net_are_held_to_a_share_of_the_peak(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise for each sample would take as long as all else. Random inputs get theirs all the same.
    """
    monkeypatch.setattr(measure, "NOISE_WORK", 1.0)
    source = model([node("MatMul", "x w")], {"x": [4, 8]}, weights={"w": normal(8, 8)})
    graph = lower(source, {}, lambda where, why: None)
    sample = {"x": normal(4, 8, seed=1)}
    ask = measure.Question(source, {}, graph, 10**4, ports(graph, graph.inputs), {"x": (-1, 1)},
                           [sample], PLAIN)
    expected = measure.measure(ask, lambda where, why: None).expected
    random, held = (limits[0] for limits in expected.limits[:2])
    assert len(set(random)) > 1
    assert set(held) == {1e-4 * np.abs(expected.exact[1][0]).max()}


# Every ninth row of the table is tried, and some rows that were refused once: Winograd's rounding,
# a norm over one element, integers that leave their type, fractions beside a whole number.
HARD = {"conv/winograd", "conv/winograd_overhang", "reduce/instance_norm_of_one",
        "integers/power", "integers/log_sum", "integers/resize_negative"}


@pytest.mark.parametrize("name", sorted({*list(ROWS)[::9], *HARD}))
def test_cases_of_the_table_are_published(name: str, tmp_path: Path) -> None:
    options = Options(targets=("wasm", "js"), simplify=False)
    manifest = press(Case(name, ROWS[name]).model, tmp_path, options).manifest
    worst = max(row.excess or 0 for row in manifest.proof[1:])  # quantized models have none
    assert worst < 1 / 2  # so that another processor's last bit refuses nothing


def test_elements_beyond_an_integer_type_are_not_compared() -> None:
    exact = np.array([-2.0**31, 2.0**31, 2.0**31 - 1, np.nan, -1])
    assert beyond(exact, "i32").tolist() == [False, True, False, True, False]
    assert beyond(exact, "u32").tolist() == [True, False, False, True, True]
    assert not beyond(exact, "f32").any()


def test_a_silent_detector_passes_without_noise_of_its_own(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a large net: onnxruntime's sigmoid gives 0 where float64 gives 1e-8."""
    monkeypatch.setattr(measure, "NOISE_WORK", 1.0)
    monkeypatch.setattr("onnxpress.proof.draws.FLOATS", ((-1.0, 1.0),) * 3)
    assert all(row.holds for row in pressed(silent_detector(), tmp_path).proof)
