"""```onnx-demo fences in Markdown -> demos; the only file that imports markdown.

The extension works wherever Python-Markdown runs. Under MkDocs the plugin sets `render`. Without
the plugin (Zensical, plain Markdown) packs come from `onnxpress build SPEC... --out FOLDER`, and
`assets` names that folder.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

from ..errors import PackError, did_you_mean
from ..manifest.manifest import read_manifest
from .page import element, message
from .publish import published_packs

FENCES = ("onnx-demo", "onnx-gallery", "onnx-bench", "onnx-lead", "onnx-compiled", "onnx-model",
          "onnx-proof")
RENDER = "onnxpress_render"  # the attribute of a Markdown object
USUAL_ASSETS = ("docs/assets/onnxpress", "demos/assets/onnxpress")
OPENING = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)$")

Render = Callable[[str, str], str]  # (fence, text inside it) -> HTML


class OnnxDemoExtension(Extension):
    """The Markdown extension `onnxpress`."""

    def __init__(self, **options: Any) -> None:
        self.config = {
            "assets": ["", "Folder that `onnxpress build --out` wrote; without the plugin only."],
            "render": ["", "Set by the MkDocs plugin."],
        }
        super().__init__(**options)

    def extendMarkdown(self, md: Markdown) -> None:
        render = self.getConfig("render") or renderer(self.getConfig("assets"))
        setattr(md, RENDER, render)  # for `formatter`, which SuperFences calls
        # Runs before fenced code (priority 25), which would show the fence as text.
        md.preprocessors.register(_Fences(md, render), "onnxpress", 27)


def renderer(assets: str) -> Render:
    """Renders from built packs in the folder `assets`, or else in the first usual folder."""
    def render(fence: str, text: str) -> str:
        places = [Path(assets)] if assets else [Path(p) for p in USUAL_ASSETS]
        folder = next((p for p in places if p.is_dir()), None)
        return render_built(fence, text, folder)

    return render


def render_built(fence: str, text: str, folder: Path | None) -> str:
    """The element for a demo whose pack is in `folder`, or a box with a sentence."""
    name = text.strip().removesuffix(".yml")
    if fence != "onnx-demo":
        return message(f"{fence} needs the onnxpress plugin of MkDocs or ProperDocs.")
    if "\n" in name or ":" in name:
        return message("A spec inside a page needs the onnxpress plugin of MkDocs or ProperDocs. "
                       "Keep the spec in a file, run onnxpress build, and write its name here.")
    if folder is None:
        return message(f'"{name}" is not built yet: run onnxpress build {name}.yml '
                       f"--out {USUAL_ASSETS[0]}.")
    packs = published_packs(folder)
    if name not in packs:
        return message(f'There is no demo "{name}" in {folder.as_posix()}.'
                       f"{did_you_mean(name, sorted(packs))}")
    try:
        demo = read_manifest(packs[name]).demo
    except PackError as error:
        return message(f"{error}.")
    if demo is None:
        return message(f'The pack "{name}" has no demo to show: run onnxpress build {name}.yml.')
    return element(name, demo, None)


class _Fences(Preprocessor):
    """Replaces our fences by stashed HTML. Other fences pass unchanged, with all text in them."""

    def __init__(self, md: Markdown, render: Render) -> None:
        super().__init__(md)
        self.render = render

    def run(self, lines: list[str]) -> list[str]:
        out: list[str] = []
        at = 0
        while at < len(lines):
            opening = OPENING.match(lines[at])
            end = opening and _closing(lines, at, opening["mark"])
            if not opening or not end:
                out.append(lines[at])
                at += 1
                continue
            fence = opening["info"].partition(" ")[0].strip()
            if fence in FENCES:
                out += self._stash(fence, lines[at + 1 : end], opening["indent"])
            else:
                out += lines[at : end + 1]
            at = end + 1
        return out

    def _stash(self, fence: str, body: list[str], indent: str) -> list[str]:
        text = "\n".join(line.removeprefix(indent) for line in body)
        placeholder = self.md.htmlStash.store(self.render(fence, text))
        return ["", indent + placeholder, ""]


def _closing(lines: list[str], at: int, mark: str) -> int | None:
    for i in range(at + 1, len(lines)):
        line = lines[i].strip()
        if len(line) >= len(mark) and not line.strip(mark[0]):
            return i
    return None


def formatter(source: str, language: str, css_class: str, options: dict[str, Any], md: Markdown,
              **_: Any) -> str:
    """For custom_fences of pymdownx.superfences, which finds fences in lists and admonitions."""
    render = getattr(md, RENDER, None) or renderer("")
    return render(language, source)


def validator(language: str, inputs: dict[str, str], options: dict[str, Any],
              attrs: dict[str, str], md: Markdown) -> bool:
    """Whether the fence is ours: an `onnx-…` fence without options."""
    return language in FENCES and not inputs
