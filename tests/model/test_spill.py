"""Large models are compiled from a file of weights, with the same result as from memory."""

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxpress.compiler import Options, compile_model
from onnxpress.errors import ModelError
from onnxpress.model import spill as spilling
from onnxpress.model.source import read_model
from onnxpress.model.spill import model_bytes, spill, spilled, spilled_arrays
from support.onnx_models import model, node


def net() -> ModelProto:
    """Convolution and norm, then two dense layers, one with its weights transposed."""
    random = np.random.default_rng(7)
    weights = {"w": random.normal(0, 0.2, (16, 3, 3, 3)), "b": random.normal(0, 0.1, 16),
               "gamma": random.uniform(0.5, 1.5, 16), "beta": random.normal(0, 0.1, 16),
               "mean": random.normal(0, 0.1, 16), "variance": random.uniform(0.5, 1.5, 16),
               "d": random.normal(0, 0.2, (90, 16)), "e": random.normal(0, 0.1, (90, 10))}
    nodes = [node("Conv", "x w b", "c", pads=[1, 1, 1, 1]),
             node("BatchNormalization", "c gamma beta mean variance", "n"), node("Relu", "n", "r"),
             node("GlobalAveragePool", "r", "g"), node("Flatten", "g", "f"),
             node("Gemm", "f d", "h", transB=1), node("MatMul", "h e", "y")]
    made = model(nodes, {"x": [1, 3, 12, 12]},
                 weights={n: a.astype(np.float32) for n, a in weights.items()})
    made.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10]))
    return made


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spilling, "LARGE_MODEL", 0)
    monkeypatch.setattr(spilling, "LARGE_TENSOR", 1000)


@pytest.mark.usefixtures("small_limits")
def test_a_spilled_model_has_its_weights_in_a_file(tmp_path: Path) -> None:
    source = net()
    light = spill(net(), tmp_path)
    assert [t.name for t in spilled(light)] == ["w", "d", "e"] and not spilled(source)
    assert light.ByteSize() < source.ByteSize() // 2
    assert abs(model_bytes(light) - source.ByteSize()) < 1000
    whole = {t.name: numpy_helper.to_array(t) for t in source.graph.initializer}
    for name, array in spilled_arrays(light).items():
        np.testing.assert_array_equal(array, whole[name])


def test_small_models_stay_in_memory(tmp_path: Path) -> None:
    source = net()
    assert spill(source, tmp_path) is source
    assert not list(tmp_path.iterdir())


def test_the_pack_gives_the_same_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(net().SerializeToString())
    whole = compile_model(path, tmp_path / "whole", Options("net")).manifest
    monkeypatch.setattr(spilling, "LARGE_MODEL", 0)
    monkeypatch.setattr(spilling, "LARGE_TENSOR", 1000)
    light = compile_model(path, tmp_path / "light", Options("net")).manifest
    for key in ("inputs", "outputs", "notes"):
        assert getattr(light, key) == getattr(whole, key)
    assert light.statistics.parameters == whole.statistics.parameters
    # onnxsim folds the norm in the one and a pass in the other: both are as near to onnxruntime as
    # their proofs say.
    errors = [max(row.max_error_over_peak for row in m.proof) for m in (light, whole)]
    [one], [other] = light.golden.outputs, whole.golden.outputs
    assert np.abs(np.subtract(one.values, other.values)).max() <= sum(errors) * one.peak


@pytest.mark.usefixtures("small_limits")
def test_only_what_was_spilled_is_mapped(tmp_path: Path) -> None:
    """A file's own word for where its weights lie is never followed outside its folder."""
    path = tmp_path / "net.onnx"
    path.write_bytes(spill(net(), tmp_path).SerializeToString())
    with pytest.raises(ModelError, match="is not a plain path inside the model's folder"):
        read_model(path)

