"""Random inputs by type and use: what is proven and checked on devices must not be zeros."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnxpress.compiler import Options, lower, ports, press
from onnxpress.manifest.manifest import Port
from onnxpress.proof.draws import BLOCK, NATURAL, SEEDS, Draw, draw, proposals, uses
from onnxpress.proof.golden import golden, silent
from support.onnx_models import model, node


def numbers(seed: int, count: int) -> list[int]:
    """xorshift32, one step after the other."""
    found = []
    for _ in range(count):
        for shift in (13, -17, 5):
            seed ^= (seed << shift if shift > 0 else seed >> -shift) & 0xFFFFFFFF
        found.append(seed)
    return found


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_the_stream_is_that_of_single_steps(seed: int) -> None:
    """Blocks of numbers that are made at once join without a seam, inputs too."""
    sizes = (BLOCK - 3, 5, 2 * BLOCK + 1, 0, 7)
    inputs = [Port(f"x{i}", (size,), "f64") for i, size in enumerate(sizes)]
    drawn = draw(inputs, [(0.0, 1.0)] * len(sizes), seed)
    got = np.concatenate([array.ravel() for array in drawn.values()])
    want = np.array(numbers(seed, sum(sizes)), np.uint32) >> 8
    assert np.array_equal(got, (want / 2**24).astype(np.float32))


def quiet(where: str, reason: str) -> None:
    pass


def proposed(source: onnx.ModelProto, samples: Sequence[dict[str, np.ndarray]] = ()) -> list[Draw]:
    graph = lower(source, {}, quiet)
    return proposals(graph, ports(graph, graph.inputs), {}, samples)


def test_indices_lie_on_their_axis_and_divisors_are_not_zero() -> None:
    source = model([node("Reshape", "ids s", "r"), node("Gather", "table r", "g", axis=0),
                    node("Cast", "d", "f", to=TensorProto.FLOAT), node("Div", "g f")],
                   {"ids": [2, 3], "d": [1]}, types={"ids": TensorProto.INT64,
                                                     "d": TensorProto.INT32},
                   weights={"table": np.ones((50, 4), np.float32), "s": np.array([6])})
    found = uses(lower(source, {}, quiet))
    assert found["ids"] == (0.0, 50.0)
    assert found["d"][0] >= 1


@pytest.mark.parametrize("kind, dtype", [
    (TensorProto.UINT8, "u8"), (TensorProto.INT8, "i8"), (TensorProto.BOOL, "bool"),
    (TensorProto.INT64, "i64"), (TensorProto.UINT32, "u32")])
def test_integers_are_drawn_over_their_natural_range(kind: int, dtype: str) -> None:
    source = model([node("Cast", "x", to=TensorProto.FLOAT)], {"x": [500]}, types={"x": kind})
    first, *_ = proposed(source)
    assert first.bounds == (NATURAL[dtype],)
    (values,) = draw([Port("x", (500,), dtype)], first.bounds).values()
    low, high = NATURAL[dtype]
    assert values.min() < low + (high - low) / 2 <= values.max() <= high - 1
    assert (values == np.floor(values)).all()


def test_floats_of_unknown_range_are_negative_and_large_too() -> None:
    ranges = {draw.bounds[0] for draw in proposed(model([node("Relu", "x")], {"x": [1, 9]}))}
    assert min(low for low, _ in ranges) <= -100 and max(high for _, high in ranges) >= 255


def test_samples_say_the_range() -> None:
    source = model([node("Relu", "x")], {"x": [1, 2]})
    ranges = {draw.bounds for draw in proposed(source, [{"x": np.float32([[-3, 40]])}])}
    assert ranges == {((-3.0, 40.0),)}


def test_a_constant_output_passes_no_golden() -> None:
    one = Draw(1, ((0.0, 1.0),))
    flat = np.full(300, 0.7, np.float32)
    rising = np.linspace(0.5, 0.7, 300).astype(np.float32)
    kept = golden(one, [flat, rising, np.zeros(9, np.float32)], metric="peak", tolerance=1e-3)
    assert silent(kept, []) == [0, 2]
    # One element is constant where other inputs give the same.
    kept = golden(one, [np.float32([3.0])], metric="peak", tolerance=1e-3)
    assert silent(kept, [[np.float32([3.001])]]) == [0]
    assert silent(kept, [[np.float32([3.1])]]) == []


def test_values_that_json_lacks_stay_out_of_the_golden() -> None:
    output = np.float32([np.nan, 2, np.inf, -3])
    (kept,) = golden(Draw(1, ()), [output], metric="peak", tolerance=1e-3).outputs
    assert (kept.indices, kept.values, kept.peak) == ((1, 3), (2.0, -3.0), 3.0)


def test_a_golden_that_a_constant_would_pass_is_drawn_anew(tmp_path: Path) -> None:
    """Numbers of -1 to 1 become 0 in this model: the golden takes wider ones."""
    source = model([node("Cast", "x", "i", to=TensorProto.INT64),
                    node("Cast", "i", to=TensorProto.FLOAT)], {"x": [1, 40]})
    manifest = press(source, tmp_path, Options(targets=("wasm",))).manifest
    assert manifest.golden.ranges[0][1] > 1
    assert len(set(manifest.golden.outputs[0].values)) > 10
    assert not [n for n in manifest.notes if n.where == "golden"]


def test_an_output_that_stays_constant_is_said(tmp_path: Path) -> None:
    source = model([node("Mul", "x zero")], {"x": [1, 40]},
                   weights={"zero": np.zeros((1, 40), np.float32)})
    notes = press(source, tmp_path, Options(targets=("wasm",))).manifest.notes
    assert ['the output "y" hardly varies' in n.reason for n in notes if n.where == "golden"] == [
        True]


def test_a_picture_of_bytes_is_not_black(tmp_path: Path) -> None:
    source = model([node("Cast", "x", "f", to=TensorProto.FLOAT), node("MatMul", "f w")],
                   {"x": [1, 6, 5, 3]}, types={"x": TensorProto.UINT8},
                   weights={"w": np.random.default_rng(0).normal(0, 1, (3, 2)).astype("f")})
    golden = press(source, tmp_path, Options(targets=("wasm",))).manifest.golden
    assert golden.ranges == ((0.0, 256.0),)
    assert golden.outputs[0].peak > 100 and len(set(golden.outputs[0].values)) > 30


def test_values_beyond_f16_on_large_inputs_keep_programs_in_f32(tmp_path: Path) -> None:
    """A decomposed norm: squares of 0..1 fit f16, squares of pixels 0..255 do not."""
    w = np.random.default_rng(1).normal(0, 3, (8, 3, 9, 9)).astype(np.float32)
    source = model([node("Conv", "x w", "c", pads=[4] * 4), node("Mul", "c c", "q"),
                    node("ReduceMean", "q", "m", axes=[1]), node("Sqrt", "m", "s"),
                    node("Div", "c s")], {"x": [1, 3, 16, 16]}, weights={"w": w})
    manifest = press(source, tmp_path, Options(targets=("webgpu",))).manifest
    assert not manifest.f16.holds and manifest.f16.peak > manifest.f16.limit
    assert not any("f16" in name for name in manifest.targets.webgpu.files)
