"""A model whose output is not what the task needs is refused before anything is compiled."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxpress import compiler
from onnxpress.demo.demo import press_demo
from onnxpress.errors import SpecError
from onnxpress.spec import parse_demo
from onnxpress.tasks import TASKS
from onnxpress.tasks.base import Reading
from support.onnx_models import model, node
from support.paths import ROOT
from support.tasks import options_of

PAIR = ("a", "b")


def reading(task: str, labels: tuple[str, ...] = (), **options: str) -> Reading:
    return Reading(options_of(task, **options), labels)


FITTING = [
    ("image-classification", (1, 1000), reading("image-classification")),
    ("image-classification", (1, 2, 1, 1), reading("image-classification", PAIR)),
    ("image-classification", (3,), reading("image-classification")),
    ("image-to-image", (1, 3, 64, 48), reading("image-to-image")),
    ("image-to-image", (1, 1, 64, 48), reading("image-to-image", channels="gray")),
    ("image-to-image", (1, 64, 48, 3), reading("image-to-image", layout="nhwc")),
    ("segmentation", (1, 21, 64, 48), reading("segmentation", tuple(map(str, range(21))))),
    ("segmentation", (1, 1, 64, 48), reading("segmentation", PAIR)),
    ("segmentation", (1, 64, 48, 2), reading("segmentation", PAIR, layout="nhwc")),
    ("segmentation", (1, 64, 48), reading("segmentation", PAIR, kind="classes")),
    ("tensor", (2, 3, 4, 5, 6), reading("tensor")),
]

MISFITS = [
    ("image-classification", (2, 10), reading("image-classification"),
     'the output "y" has shape [2, 10]; task image-classification needs one axis of classes, '
     "such as [1, 10]"),
    ("image-classification", (1, 3, 64, 48), reading("image-classification"),
     'the output "y" has shape [1, 3, 64, 48]; task image-classification needs one axis of '
     "classes, such as [1, 64]"),
    ("image-classification", (1, 3), reading("image-classification", PAIR),
     "there are 2 labels and the output has 3 classes"),
    ("image-to-image", (1, 64, 48, 3), reading("image-to-image"),
     'the output "y" has shape [1, 64, 48, 3], which is a picture in nhwc; '
     "write output: {layout: nhwc}"),
    ("image-to-image", (1, 4, 64, 48), reading("image-to-image"),
     'the output "y" has shape [1, 4, 64, 48]; task image-to-image needs [1, C, H, W] with 1 or '
     "3 channels C"),
    ("image-to-image", (2, 3, 64, 48), reading("image-to-image"),
     'the output "y" has shape [2, 3, 64, 48]; task image-to-image needs [1, C, H, W] with 1 or '
     "3 channels C"),
    ("image-to-image", (1, 1000), reading("image-to-image", layout="nhwc"),
     'the output "y" has shape [1, 1000]; task image-to-image needs [1, H, W, C] with 1 or 3 '
     "channels C"),
    ("segmentation", (1, 1000), reading("segmentation"),
     'the output "y" has shape [1, 1000]; task segmentation needs [1, C, H, W], with classes C'),
    ("segmentation", (1, 21, 64, 48), reading("segmentation", PAIR),
     "there are 2 labels and the output has 21 classes"),
    ("segmentation", (1, 1, 64, 48), reading("segmentation", ("a",)),
     "there are 1 labels and the output has 2 classes"),
    ("segmentation", (1, 21, 64, 48), reading("segmentation", kind="classes"),
     'the output "y" has shape [1, 21, 64, 48]; task segmentation needs [1, H, W] where '
     "output.kind is classes"),
]


@pytest.mark.parametrize(("task", "shape", "reading"), FITTING)
def test_a_fitting_output_is_taken(task: str, shape: tuple[int, ...], reading: Reading) -> None:
    assert TASKS[task].misfit("y", shape, reading) == ""


@pytest.mark.parametrize(("task", "shape", "reading", "sentence"), MISFITS)
def test_another_output_is_refused(task: str, shape: tuple[int, ...], reading: Reading,
                                   sentence: str) -> None:
    assert TASKS[task].misfit("y", shape, reading) == sentence


@pytest.mark.parametrize(("lines", "sentence"), [
    ("task: segmentation\n", 'the output "y" has shape [1, 4]; task segmentation needs '
     "[1, C, H, W], with classes C"),
    ("task: image-classification\nlabels: [a, b]\n",
     "there are 2 labels and the output has 4 classes"),
    ("task: image-classification\noutput: {output: z}\n",
     'output.output: the model has no output "z".'),
])
def test_a_misfit_is_refused_before_anything_is_compiled(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, sentence: str) -> None:
    def build(graph: object) -> None:
        raise AssertionError("a program was built")

    for target in compiler.BUILDERS:
        monkeypatch.setitem(compiler.BUILDERS, target, build)
    weights = {"w": np.ones((3 * 8 * 8, 4), np.float32)}
    nodes = [node("Flatten", "x", "f"), node("MatMul", "f w", "y")]
    onnx.save(model(nodes, {"x": [1, 3, 8, 8]}, weights=weights), tmp_path / "net.onnx")
    demo = parse_demo(f"title: A\nmodel: net.onnx\n{lines}", "a", tmp_path, base=tmp_path,
                      where="a.yml")
    with pytest.raises(SpecError) as caught:
        press_demo(demo, tmp_path / "out", tmp_path / "downloads")
    assert str(caught.value) == f"a.yml: {sentence}"


def test_the_guide_lists_every_task() -> None:
    text = (ROOT / "demos/about/add-a-demo.md").read_text("utf-8")
    rows = [line.split("`")[1] for line in text.partition("## What the answer means")[2]
            .partition("##")[0].splitlines() if line.startswith("| `")]
    assert rows == ["task:", *TASKS]
