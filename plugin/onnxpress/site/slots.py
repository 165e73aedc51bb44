"""Slots, which are places in rendered pages that wait for packs; the Markdown of a demo's page."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..spec import Demo


@dataclass(frozen=True, slots=True)
class Slot:
    """`kind` is the fence's language, `name` the demo, `page` the page's URL."""

    kind: str
    name: str
    page: str


class Slots:
    """The slots of one site build."""

    def __init__(self) -> None:
        self._slots: list[Slot] = []

    def add(self, slot: Slot) -> str:
        """The HTML that keeps the slot's place until `fill`."""
        self._slots.append(slot)
        return f'<div id="onnxpress-slot-{len(self._slots) - 1}"></div>'

    def fill(self, content: str, render: Callable[[Slot], str]) -> str:
        """`content` with every slot rendered."""
        return re.sub(r'<div id="onnxpress-slot-(\d+)"></div>',
                      lambda found: render(self._slots[int(found[1])]), content)

    @staticmethod
    def inline_name(page: str, text: str) -> str:
        """A name for a spec that stands in a page: the page's stem and a hash of the text."""
        stem = re.sub(r"[^A-Za-z0-9-]+", "-", PurePosixPath(page).stem).strip("-") or "page"
        return f"{stem[:40]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def demo_page(demo: Demo, prose: str) -> str:
    """The Markdown of the demo's page: title, demo, the author's own text, facts about the pack.

    If the author's text has the demo's fence, the demo stays there.
    """
    heading = re.match(r"\s*# .*\n?", prose)
    title = heading[0].strip() if heading else f"# {_as_text(demo.title)}"
    parts = [title, prose[heading.end() :] if heading else prose]
    if not re.search(r"(?m)^\s*(`{3,}|~{3,})\s*onnx-demo", prose):
        parts[1:1] = [_fence("onnx-lead", demo.name), _fence("onnx-demo", demo.name)]
    parts += ["## How it was compiled", _fence("onnx-compiled", demo.name),
              "## The model", _fence("onnx-model", demo.name)]
    return "\n\n".join(part for part in parts if part.strip()) + "\n"


def proof_page(demo: Demo) -> str:
    """The Markdown of the page of a demo's proof sheet."""
    return f"# Proof sheet: {_as_text(demo.title)}\n\n" + _fence("onnx-proof", demo.name) + "\n"


def _fence(kind: str, name: str) -> str:
    return f"```{kind}\n{name}\n```"


def _as_text(text: str) -> str:
    """`text` with every mark escaped that Markdown or a templating plugin could read."""
    return "".join(c if c.isalnum() or c in " ,'-" or ord(c) > 127 else f"&#{ord(c)};"
                   for c in text)
