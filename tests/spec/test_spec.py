"""Specs: what is admitted, and the exact sentence for what is not."""

import json
import pickle
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from onnxpress.errors import SpecError
from onnxpress.spec import load_demo, parse_demo
from onnxpress.spec.schema import schema_files
from onnxpress.spec.text import MAX_BYTES
from support.paths import SPECS

MODELS = SPECS / "models"
BAD = sorted((SPECS / "bad").glob("*.txt"))


def refusal(text: str | bytes) -> str:
    with pytest.raises(SpecError) as caught:
        parse_demo(text, "demo", MODELS, base=SPECS, where="demos/demo.yml")
    return str(caught.value)


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.stem)
def test_a_bad_spec_is_refused_in_one_sentence(path: Path) -> None:
    text, _, expected = path.read_text("utf-8").partition("====\n")
    assert refusal(text) == expected.strip()


def test_every_field() -> None:
    demo = load_demo(SPECS / "good/everything.yml", MODELS)
    assert demo.title == "Everything: ünïcode, עברית, 猫 and </script>"
    assert demo.description == "Two lines in one."
    assert demo.shapes == {"x": (1, 3, 16, 16)}
    rule = demo.input
    assert (rule.resize, rule.channels) == ("shorter:20", "bgr")
    assert (rule.mean, rule.scale) == ((1, 2, 3), 1)
    assert demo.output.kind == "probabilities"
    assert demo.labels == ("cat", "no")
    assert demo.samples[0].path.name == "chelsea.png"
    assert demo.targets == ("webgpu", "js"), "in order of preference"
    assert demo.threads == 2
    assert demo.controls[0].start(2) == (0.5, 0.5), "the spec's control replaces the card's"
    assert (demo.card.licence, demo.card.limits) == ("Apache-2.0", "It knows two classes.")


def test_a_card_gives_what_the_spec_leaves_out() -> None:
    demo = load_demo(SPECS / "good/least.yml", MODELS)
    assert demo.labels == ("cat", "dog")
    assert demo.input.mean == (0.5,)
    assert demo.input.scale == 1 / 255
    assert demo.controls[0].start(1) == (1.0,)
    assert demo.threads == "auto"
    assert demo.card.licence == "MIT"
    assert demo.card.sources[0].file == MODELS / "tiny.onnx"


def test_demos_travel_to_other_processes() -> None:
    demo = load_demo(SPECS / "good/everything.yml", MODELS)
    assert pickle.loads(pickle.dumps(demo)) == demo


def test_byte_order_mark_and_windows_lines() -> None:
    text = (SPECS / "good/least.yml").read_bytes().replace(b"\n", b"\r\n")
    demo = parse_demo(b"\xef\xbb\xbf" + text, "demo", MODELS, base=SPECS, where="demo.yml")
    assert demo.title == "The least"


def test_size_encoding_and_control_characters() -> None:
    assert refusal("x" * (MAX_BYTES + 1)).startswith("demos/demo.yml: the file has 262,145 bytes")
    assert refusal("title: ü\n".encode("latin-1")) == (
        "demos/demo.yml:1: this is not UTF-8 text; save the file as UTF-8")
    assert refusal("title: A\nmodel: \x07\n") == (
        "demos/demo.yml:2: a control character stands here; remove it")


def test_many_labels_fit() -> None:
    labels = "\n".join(f"  - label {i}" for i in range(10_000))
    text = f"title: A\ntask: image-classification\nmodel: tiny\nlabels:\n{labels}\n"
    demo = parse_demo(text, "demo", MODELS, base=SPECS, where="demo.yml")
    assert len(demo.labels) == 10_000


def test_a_name_must_fit_an_address(tmp_path: Path) -> None:
    path = tmp_path / "a b.yml"
    path.write_text("title: A\n")
    with pytest.raises(SpecError, match='"a b" cannot be part of a web address'):
        load_demo(path, MODELS)


@pytest.mark.parametrize("name", schema_files())
def test_the_published_schemas_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(json.loads(schema_files()[name]))
