"""Specs, cards, label files and sample pictures that somebody has spoiled, in a small project."""

import json
import random
import re
from collections.abc import Mapping
from functools import cache
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
from onnx import ModelProto
from onnxpress.demo.demo import press_demo
from onnxpress.errors import within
from onnxpress.site.page import element
from onnxpress.spec import Demo, Rules, load_demo, parse_demo
from PIL import Image
from support.onnx_models import floats, model, node

from .mutator import LIMITS, Mutator
from .watch import CANARY, EXECUTED

# Every how many specs the pack of a sound one is built and its page drawn, which takes longer.
BUILT = 5

CARD = """title: A card
description: |
  It has two

  paragraphs.
author: Nobody
homepage: https://example.org/
licence: MIT
citation: "Nobody, 2026."
source: {file: net.onnx}
shapes: {x: [1, 3, 8, 8]}
preprocessing: {scale: 1/255, mean: 0.5, layout: nchw}
labels: words.txt
"""
CLASSES = """title: Classes & <b>"marks"</b>
description: |
  Two lines
  here
task: image-classification
model: net
preprocessing: {resize: "shorter:12", mean: [0.4, 0.4, 0.4], std: [0.2, 0.2, 0.2], channels: rgb}
labels: [red, green, blue]
weights: f32
simplify: false
targets: [wasm]
threads: 2
output: {kind: logits, output: y}
samples:
  - {image: dot.png, title: A dot, licence: CC0, author: me, source: "https://example.org/?a=1&b"}
view: {top: 3}
licence: MIT
"""
PAINTED = """title: Painted
task: image-to-image
model: paint
simplify: false
targets: [wasm]
output: {range: [0, 1]}
preprocessing: {input: x, scale: 1/255}
samples:
  - {image: dot.png, title: A dot, licence: CC0}
view:
  controls:
    s: {kind: slider, label: Strength, min: 0, max: 2, value: 1, step: 0.1}
    b: {kind: blend, options: [red, green, blue], initial: green}
"""
PARTS = """title: Parts
task: segmentation
model: {file: ../models/parts.onnx}
simplify: false
targets: [wasm]
preprocessing: {scale: 1/255}
labels: [a, b, c]
samples:
  - {image: dot.png, title: A dot, licence: CC0}
"""
NUMBERS = """title: Numbers
task: tensor
model: {file: ../models/net.onnx}
simplify: false
targets: [wasm]
weights: auto
"""
KINDS = (CLASSES, CLASSES, PAINTED, PARTS, NUMBERS)
WORDS = "red\ngreen\nblue\n"

VALUES = (
    '"\\ud800"', "0x" + "f" * 300, "9" * 400, "1e400", ".inf", ".nan", "-1", "0", "~", "[]", "{}",
    '!!float ""', "!!bool x", "1:1:1:1.5", '"a\\n::error::x"', '"\\e[2J"', "2026-13-45",
    "2026-01-01", '"' + "é" * 200 + '"', "../outside/secret.txt", "/etc/passwd", "package:",
    "package:x/../..", "package:json/__init__.py", "{python: net.py}",
    "{python: ../outside/evil.py}", "{python: evil.py:run, arguments: {a: 1}}",
    '{python: "../../../../../../usr/lib/python3.11/subprocess.py:getoutput"}',
    "{python: linked/evil.py}", '{url: "https://[", sha256: 0}',
    '{url: "https://example.org/a.onnx", sha256: ' + "0" * 64 + ", bytes: 9}",
    "{file: x, url: y}", "{file: link.txt}", "link.txt", "link.png", "linked/secret.txt",
    "linked/private.png", "[" * 16 + "]" * 16, "*a", "&a [*a]", "!!python/object:os.system x",
    '"\\0"', '"\u202e"', "yes", "no", "1_000", "0o777", "1.0e+38", "-1.0e+38", "3.5e-46",
    '!!int "0x"', "!!timestamp x", "!!binary x", "!!set {a}", "!!omap [a: 1]", "|\n  x", '"1/0"',
    "1/0", "0/0", "shorter:0", "shorter:99999", "shorter:3", "cover", "contain", "[1, [2]]",
    "{a: {b: {c: 1}}}", '"' + "x" * 5000 + '"', "[0, 0]", "[1, 0]", "[1.0e+38, -1.0e+38]",
    "tensor", "segmentation", "image-to-image", "image-classification", "nhwc", "gray", "bgr",
    "int8", "auto", "[js]", "constant", "blend", "slider", '"<script>alert(1)</script>"',
    '"\\" onerror=alert(1) x=\\""', "javascript:alert(1)", '"{{ 7*7 }}{% raw %}"', "x", "y",
    "__proto__")
# Where a spec or a card names a file, and other files to name there.
NAMED = re.compile(r"dot\.png|net\.onnx|(?<=^model: ).*|(?<=^labels: ).*|(?<=^source: ).*")
FILES = (
    "link.txt", "link.png", "linked/secret.txt", "linked/private.png", "../outside/secret.txt",
    "../../outside/private.png", "../../outside/net.onnx", "linked/net.onnx", "link.onnx",
    "{python: ../../outside/evil.py}", "{python: ../outside/evil.py}", "{python: linked/evil.py}",
    "{python: ../docs/evil.py}", "{python: evil.py}", "{file: linked/net.onnx}",
    "{file: ../../outside/net.onnx}", "{file: link.onnx}", "{package: json/__init__.py}",
    "/etc/passwd", "package:json/../../../../etc/passwd", "e" * 300 + ".png", ".", "..")
KEYS = ("title", "task", "model", "labels", "samples", "view", "shapes", "output", "preprocessing",
        "weights", "controls", "source", "file", "python", "image", "range", "initial", "values",
        "threads", "loading", "options", "pad", "filter", "input", "top", "layout", "colours",
        "::error", "__proto__", "?", "<<")
CHARACTERS = "\0\t\n\x1b\x85\u2028\ufeff😀\"'{:,#&*[]|>!%@`\ud800"

Draw = random.Random


@cache
def _models() -> Mapping[str, ModelProto]:
    net = [node("GlobalAveragePool", "x", "g"), node("Flatten", "g", "f"), node("MatMul", "f w")]
    paint = [node("Mul", "x s", "m"), node("Conv", "m w", "c"), node("MatMul", "b v", "d"),
             node("Add", "c d", "a"), node("Sigmoid", "a")]
    parts = [node("Conv", "x w", pads=[1, 1, 1, 1])]
    image = {"x": (1, 3, 8, 8)}
    return {
        "net": model(net, image, weights={"w": floats(3, 3)}),
        "paint": model(paint, {**image, "s": (1,), "b": (1, 3)}, weights={
            "w": floats(3, 3, 1, 1), "v": floats(3, 1)}),
        "parts": model(parts, image, weights={"w": floats(3, 3, 3, 3) - 1}),
    }


@cache
def _picture() -> bytes:
    file = BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def sound_project(folder: Path) -> Path:
    """A project whose spec can be built."""
    project = _project(folder)
    _write(project, CLASSES, CARD, WORDS.encode(), _picture())
    return project


def spoil(draw: Draw, folder: Path) -> str:
    project = _project(folder)
    spec, card, words, picture = draw.choice(KINDS), CARD, WORDS.encode(), _picture()
    what = draw.choice(("spec",) * 12 + ("card",) * 4 + ("labels", "picture"))
    done = ""
    if what == "spec":
        done, spec = _text(draw, spec)
    elif what == "card":
        done, card = _text(draw, card)
        spec = CLASSES.replace("labels: [red, green, blue]\n", "")
    elif what == "labels":
        words = _bytes(draw, words)
        spec = CLASSES.replace("[red, green, blue]", "words.txt")
    else:
        spec, picture = CLASSES, _bytes(draw, picture)
    _write(project, spec, card, words, picture)
    build = draw.randrange(BUILT) == 0 or "another file" in done
    how = {"fence": draw.random() < 0.1, "build": build}
    (project / "how.json").write_text(json.dumps(how))
    return f"{what}: {done or 'its bytes'}"


def _write(project: Path, spec: str, card: str, words: bytes, picture: bytes) -> None:
    for path, text in (("docs/demo.yml", spec), ("models/net.yml", card),
                       ("models/paint.yml", CARD.replace("net.onnx", "paint.onnx"))):
        (project / path).write_bytes(text.encode("utf-8", "surrogatepass"))
    (project / "models/labels/words.txt").write_bytes(words)
    (project / "docs/dot.png").write_bytes(picture)


def _project(folder: Path) -> Path:
    """A project without its texts, and what lies beside it."""
    project, outside = folder / "project", folder / "outside"
    (project / "docs").mkdir(parents=True)
    (project / "models/labels").mkdir(parents=True)
    outside.mkdir()
    for name, net in _models().items():
        (project / f"models/{name}.onnx").write_bytes(net.SerializeToString())
    (outside / "secret.txt").write_text(f"{CANARY}\n{CANARY}\n{CANARY}\n")
    (outside / "private.png").write_bytes(_picture())
    (outside / "net.onnx").write_bytes(_models()["net"].SerializeToString())
    evil = f"from pathlib import Path\nPath({str(project / 'out' / EXECUTED)!r}).touch()\n"
    for place in (outside, project / "docs"):  # neither is a folder of recipes
        (place / "evil.py").write_text(evil)
    for place in (project / "docs", project / "models", project / "models/labels"):
        (place / "linked").symlink_to(outside)
        (place / "link.txt").symlink_to(outside / "secret.txt")
        (place / "link.png").symlink_to(outside / "private.png")
        (place / "link.onnx").symlink_to(outside / "net.onnx")
    return project


def _text(draw: Draw, text: str) -> tuple[str, str]:
    """(what was done, YAML text with one to four changes)"""
    lines, done = text.splitlines(), []
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = draw.randrange(len(lines)) if lines else 0
        done.append(f"{_change(draw, lines, at)} at line {at + 1}")
    return ", ".join(done), "\n".join(lines) + "\n"


def _change(draw: Draw, lines: list[str], at: int) -> str:
    if not lines:
        lines.append(draw.choice(VALUES))
        return "a value alone"
    line = lines[at]
    if draw.random() < 0.2:
        places = [i for i, text in enumerate(lines) if NAMED.search(text)]
        if places:
            at = draw.choice(places)
            other = draw.choice(FILES)
            lines[at] = NAMED.sub(lambda _: other, lines[at], count=1)
            return f"another file, {other[:40]},"
    match draw.randrange(9):
        case 0:
            del lines[at]
            return "deleted"
        case 1 | 2:
            lines[at] = f"{line.partition(':')[0]}: {draw.choice(VALUES)}"
            return "another value"
        case 3 | 4:
            words = list(re.finditer(r"[\w./-]+", line))
            if words:
                word = draw.choice(words)
                other = draw.choice((*VALUES, *KEYS))
                lines[at] = f"{line[: word.start()]}{other}{line[word.end() :]}"
            return "another word"
        case 5:
            lines.insert(at, draw.choice((*lines, f"{draw.choice(KEYS)}: {draw.choice(VALUES)}")))
            return "one more line"
        case 6:
            lines[at] = line[: draw.randrange(len(line) + 1)]
            return "cut"
        case 7:
            place = draw.randrange(len(line) + 1)
            lines[at] = line[:place] + draw.choice(CHARACTERS) + line[place:]
            return "one more character"
        case _:
            lines[at] = " " * draw.randrange(6) + line
            return "indented"


def _bytes(draw: Draw, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 4, 40))):
        at = draw.randrange(len(changed) + 1)
        match draw.randrange(4):
            case 0:
                changed = changed[:at] + bytes(draw.randrange(256) for _ in range(4)) + changed[at:]
            case 1:
                del changed[at : at + draw.randrange(1, 9)]
            case 2 if draw.random() < 0.2:
                del changed[at:]
            case _:
                if at < len(changed):
                    changed[at] = draw.randrange(256)
    return bytes(changed)


def run(folder: Path) -> None:
    """`onnxpress build SPEC`, or a page with the spec in a fence; and the demo's element
    on its page."""
    project = folder / "project"
    how = json.loads((project / "how.json").read_text())
    demo = _read(project, how["fence"])
    if not how["build"]:
        return
    out = project / "out"
    with within(demo.where):
        manifest = press_demo(demo, out, project / "downloads", limits=LIMITS).manifest
        assert manifest.demo
        _require_inert(str(element(demo.name, manifest.demo, "../")))


def _read(project: Path, fence: bool) -> Demo:
    path, models = project / "docs/demo.yml", project / "models"
    if fence:
        rules = Rules(Rules.around(models, path.parent).roots, (models,), own_recipes=False)
        return parse_demo(path.read_bytes(), "demo", models, base=path.parent,
                          where="docs/index.md", first_line=7, rules=rules)
    return load_demo(path, models, "docs/demo.yml", Rules.around(models, path.parent))


class _Tags(HTMLParser):
    """Collects what could run in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.live: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "base", "meta", "link", "style"):
            self.live.append(tag)
        for name, value in attrs:
            scheme = (value or "").strip().lower().partition(":")[0]
            if name.startswith("on") or name == "style" or (
                    name in ("href", "src") and scheme in ("javascript", "data", "vbscript")):
                self.live.append(f"{tag} {name}={value}")


def _require_inert(html: str) -> None:
    """That the text of a spec put nothing into the page that runs."""
    tags = _Tags()
    tags.feed(html)
    if tags.live:
        raise AssertionError(f"the page has {tags.live}")


def warm() -> None:
    _models(), _picture()


SPECS = Mutator("specs", spoil, run, warm=warm)
