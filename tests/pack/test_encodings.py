"""Encodings: what rounding does to weights, in Python and in the browser's decoder alike."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from onnxpress.runtime import RUNTIME
from onnxpress.weights.encodings import GROUP, LARGE, decode, encode, fits_f16, plan, round_trip
from support.node import find_node

HALF_ULP_F16 = 2.0**-11  # IEEE 754 binary16 has 11 significant bits


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("encoding, bound", [("f32", 0.0), ("f16", HALF_ULP_F16)])
def test_float_encodings_are_near(encoding: str, bound: float) -> None:
    weights = normal(64, 128)
    assert plan({"w": weights}, encoding) == {"w": encoding}
    assert np.all(np.abs(round_trip(weights, encoding) - weights) <= bound * np.abs(weights))


def test_int8_is_within_half_a_step_of_each_output_channel() -> None:
    weights = normal(3, 3, 32, 64)
    used, values, scales = encode(weights, "int8")
    steps = np.abs(weights).reshape(-1, 64).max(0) / 127
    got = decode(weights.shape, used, values, scales)
    assert used == "int8" and len(values) == weights.size
    # half a step, and the roundings of quotient and product in f32
    assert np.all(np.abs(got - weights) <= steps * (0.5 + 127 * 2**-22))


@pytest.mark.parametrize("shape", [(64, 48), (70, 5), (3, 3, 7, 11), (1, 1, 33, 3), (1, 1)])
def test_int4_is_within_a_step_of_each_group(shape: tuple[int, ...]) -> None:
    weights = normal(*shape)
    used, values, scales = encode(weights, "int4")
    rows = weights.reshape(-1, shape[-1])
    groups = -(-len(rows) // GROUP)
    assert len(values) == -(-weights.size // 2) and len(scales) == 2 * groups * shape[-1]
    error = np.abs(decode(shape, used, values, scales) - weights).reshape(rows.shape)
    for first in range(0, len(rows), GROUP):
        part = slice(first, first + GROUP)
        step = np.abs(rows[part]).max(0) / 8
        # The extreme is -8 steps; what lies as far on the other side is cut at 7. A step is an f16.
        assert np.all(error[part] <= step * (1 + 8 * HALF_ULP_F16))
        inside = np.abs(rows[part]) <= 6.5 * step
        assert np.all(np.where(inside, error[part], 0) <= step * (0.5 + 8 * HALF_ULP_F16))


def test_int4_is_for_large_matrices() -> None:
    tensors = {"large": normal(256, LARGE // 256), "middle": normal(64, 128), "bias": normal(256),
               "huge": np.full((256, LARGE // 256), 1e6, np.float32) * normal(256, LARGE // 256)}
    assert plan(tensors, "int4") == {"large": "int4", "middle": "int8", "bias": "f32",
                                     "huge": "int8"}


@pytest.mark.parametrize("encoding", ["f32", "f16", "int8", "int4"])
def test_whole_numbers_are_stored_exactly(encoding: str) -> None:
    weights = np.random.default_rng(0).integers(-127, 128, (400, 500)).astype(np.float32)
    assert plan({"w": weights}, encoding) == {"w": "int8"}
    assert np.array_equal(round_trip(weights, "int8"), weights)


@pytest.mark.parametrize("shape", [(), (1,), (300,), (2, 3)])
def test_small_tensors_stay_exact(shape: tuple[int, ...]) -> None:
    for encoding in ("f16", "int8", "int4"):
        assert plan({"w": normal(*shape)}, encoding) == {"w": "f32"}
    assert np.array_equal(round_trip(normal(*shape), "f32"), normal(*shape))


@pytest.mark.parametrize("factor, fits", [(1.0, True), (7e4, False), (1e-6, False), (1e-3, True)])
def test_what_f16_cannot_hold_stays_f32(factor: float, fits: bool) -> None:
    """1e-3 times normal numbers still are normal f16s; 1e-6 times them keeps one bit or four."""
    weights = normal(64, 128) * np.float32(factor)
    assert fits_f16(weights) is fits
    assert plan({"w": weights}, "f16") == {"w": "f16" if fits else "f32"}


@pytest.mark.parametrize("encoding", ["f32", "f16", "int8", "int4"])
@pytest.mark.parametrize("shape", [(64, 48), (70, 5), (3, 3, 7, 11), (1, 1, 33, 3), (45, 1)])
def test_the_browser_decodes_the_same_bits(encoding: str, shape: tuple[int, ...],
                                           tmp_path: Path) -> None:
    used, values, scales = encode(normal(*shape, seed=1) * np.float32(0.02), encoding)
    for name, content in (("values", values), ("scales", scales)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "run.mjs").write_text(f"""
        import {{ readFileSync, writeFileSync }} from "node:fs";
        import {{ decode }} from {json.dumps((RUNTIME / "load/decode.js").as_uri())};
        const read = (name) => Uint8Array.from(readFileSync(name));
        const out = decode("{used}", read("values"), read("scales"), {list(shape)}, {GROUP});
        writeFileSync("out", new Uint8Array(out.buffer, out.byteOffset, out.byteLength));
    """)
    subprocess.run([find_node(), "run.mjs"], cwd=tmp_path, check=True, timeout=60)
    got = np.frombuffer((tmp_path / "out").read_bytes(), np.float32)
    assert np.array_equal(got, decode(shape, used, values, scales).ravel())
