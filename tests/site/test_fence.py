"""The Markdown fence where no plugin runs."""

import json
from pathlib import Path

import pytest
from markdown import markdown
from support.tiny_pack import tiny_pack

SAMPLE = {"title": "A <cat>", "url": "s.webp", "licence": "CC0",
          "facts": {"kind": "picture", "size": [4, 3]},
          "result": {"kind": "classes", "top": [{"label": "cat & co", "score": 0.75}]}}


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    (tmp_path / "demos").mkdir()
    manifest = json.loads(tiny_pack()["manifest.json"])
    manifest["demo"] |= {"title": "Cats", "loading": "lazy", "samples": [SAMPLE]}
    (tmp_path / "demos/cats.json").write_text(json.dumps(manifest))
    return tmp_path


def render(text: str, assets: Path | str, *extensions: str, **configs) -> str:
    return markdown(text, extensions=["onnxpress", *extensions],
                    extension_configs={"onnxpress": {"assets": str(assets)}, **configs})


def test_a_name_becomes_an_element_that_finds_its_pack_itself(assets: Path) -> None:
    html = render("Before\n\n```onnx-demo\ncats\n```\n\nAfter", assets)
    assert '<onnx-demo name="cats" loading="lazy">' in html
    assert "cat &amp; co" in html
    assert "75.0 %" in html
    assert "A &lt;cat&gt;" in html
    assert "<img" not in html, "a picture's address is not known here"
    assert html.startswith("<p>Before</p>") and html.endswith("<p>After</p>")


@pytest.mark.parametrize("text", ["~~~onnx-demo\ncats.yml\n~~~", "````onnx-demo\n\ncats\n````",
                                  "- item\n\n    ```onnx-demo\n    cats\n    ```"])
def test_all_forms_of_a_fence(assets: Path, text: str) -> None:
    assert '<onnx-demo name="cats"' in render(text, assets)


@pytest.mark.parametrize("text", [
    "````markdown\n```onnx-demo\ncats\n```\n````",
    "    ```onnx-demo\n    cats",
    "```onnx-demonstration\ncats\n```",
    "`onnx-demo`",
])
def test_what_only_looks_like_a_fence_stays_text(assets: Path, text: str) -> None:
    assert "<onnx-demo" not in render(text, assets, "fenced_code")


def test_superfences(assets: Path) -> None:
    fence = {"name": "onnx-demo", "class": "onnx-demo", "format": "onnxpress.site.fence.formatter",
             "validator": "onnxpress.site.fence.validator"}
    from onnxpress.site.fence import formatter, validator

    fence |= {"format": formatter, "validator": validator}
    html = render('??? note "Open me"\n\n    ```onnx-demo\n    cats\n    ```\n', assets,
                  "pymdownx.superfences", "pymdownx.details",
                  **{"pymdownx.superfences": {"custom_fences": [fence]}})
    assert '<onnx-demo name="cats"' in html


def test_the_reader_sees_what_is_wrong(assets: Path, tmp_path: Path) -> None:
    assert "There is no demo &#34;cta&#34;" in render("```onnx-demo\ncta\n```", assets)
    assert "run onnxpress build" in render("```onnx-demo\ncats\n```", tmp_path / "none")
    assert "Keep the spec in a file" in render("```onnx-demo\ntitle: A\n```", assets)
    assert "needs the onnxpress plugin" in render("```onnx-gallery\n```", assets)
    assert "onnx-bench needs the onnxpress plugin" in render("```onnx-bench\ncats\n```", assets)
