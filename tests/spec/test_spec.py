"""Specs: what is admitted, and the exact sentence for what is not."""

import json
import pickle
from contextlib import suppress
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from onnxpress.errors import LONGEST, SpecError
from onnxpress.spec import load_demo, parse_demo
from onnxpress.spec.schema import schema_files
from onnxpress.spec.text import MAX_BYTES
from onnxpress.tasks import TASKS
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
    assert refusal(text) == expected.strip().replace("{tasks}", ", ".join(TASKS))


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


PICTURE = "title: A\ntask: image-to-image\nmodel: tiny\n"
HALF = "an escape such as \\ud800 is half of a character; write the character itself"
LARGE = "the model's input is too large for f32; write numbers such as 1/255"


@pytest.mark.parametrize("text, wanted", [
    ('title: "\\ud800"\n', f"1: {HALF}"),
    ('"\\udfff": 1\n', f"1: {HALF}"),
    (PICTURE + 'labels: [a, "b\\ud834"]\n', f"4: {HALF}"),
    (PICTURE + f"preprocessing: {{mean: 0x{'f' * 90}}}\n", "4: 0xffff"),
    (PICTURE + f"preprocessing: {{mean: 0x{'f' * 300}}}\n", "4: 0xffff"),
    (PICTURE + f"preprocessing: {{mean: {'9' * 5000}}}\n", "4: 9999"),
    (PICTURE + f"preprocessing: {{mean: 1{':1' * 100_000}}}\n", "4: 1:1:1"),
    (PICTURE + "preprocessing: {mean: 1.0e+39}\n", "4: 1.0e+39 is too large; models compute with"),
    (PICTURE + f"preprocessing: {{scale: {'1' + '0' * 400}/1}}\n", LARGE),
    (PICTURE + "preprocessing: {std: 1.0e-38, scale: 9}\n", LARGE),
    (PICTURE + "output: {range: [1, 1]}\n", "4: output.range: black and white have the same value"),
    ("title: !!float ''\n", "1: cannot be read; put text in quotes"),
    ("title: !!bool x\n", "1: x cannot be read; put text in quotes"),
    ("title: !!int x\n", "1: x cannot be read; put text in quotes"),
    ("title: !!timestamp x\n", "1: x cannot be read; put text in quotes"),
    (PICTURE + '"x\\n::error::pwned": 1\n', "4: x : :error: :pwned: there is no such field"),
    (PICTURE + '"\\e[2J\\e]0;owned\\a": 1\n', "4: [2J ]0;owned : there is no such field"),
    (PICTURE + f'? "{"k" * 100_000}"\n: 1\n', "4: kkk"),
], ids=range(18))
def test_what_yaml_trips_on_is_one_plain_sentence(text: str, wanted: str) -> None:
    """PyYAML's constructors raise IndexError, KeyError, OverflowError and more; a number may be
    larger than any float, and a text may hold half of a character."""
    said = refusal(text)
    assert wanted in said
    assert said.startswith("demos/demo.yml:") and len(said) <= LONGEST and said.isprintable()
    assert "::" not in said


def test_a_number_that_yaml_reads_by_sixties_is_no_traceback() -> None:
    with suppress(SpecError):
        parse_demo(PICTURE + "preprocessing: {mean: 1:1:1:1:1:1.5}\n", "demo", MODELS, base=SPECS,
                   where="demos/demo.yml")


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
