"""The site's page of the table."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .table import AS_ONNXRUNTIME, HERE, Row, load, wrong
from .targets import REFUSED

PAGE = HERE.parents[1] / "demos/about/conformance.md"
TITLES = {"relaxed": "WebAssembly, relaxed SIMD", "simd128": "WebAssembly, SIMD",
          "js": "JavaScript", "webgpu": "WebGPU"}
SHOWN = ("relaxed", "js", "webgpu")  # by operator; both builds of WebAssembly are counted above
# The node or the function that begins a sentence.
WHERE = re.compile(r'^(\w+ node "[^"]*" \(opset \d+\)|\w+ "[^"]*"|\w+): ')


def page() -> str:
    """The Markdown text."""
    version, opset, left, rows = load()
    template = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    how = Counter(row.how for row in rows.values() if row.how)
    return template.get_template("page.md.jinja").render(
        version=version, opset=opset, left=left, count=len(rows), how=how,
        targets=[_target(title, target, rows) for target, title in TITLES.items()],
        wrong=[name for name, row in rows.items()
               if any(wrong(name, said) for said in row.results.values())],
        operators=[_operator(name, rows) for name in sorted({r.operator for r in rows.values()})])


def _target(title: str, target: str, rows: Mapping[str, Row]) -> dict[str, object]:
    said = {name: row.results[target] for name, row in rows.items()}
    return {"title": title, "right": sum(not s for s in said.values()),
            "refused": sum(s.startswith(REFUSED) for s in said.values()),
            "other": sum(bool(said[name]) for name in AS_ONNXRUNTIME if name in said),
            "wrong": sum(wrong(name, s) for name, s in said.items())}


def _operator(name: str, rows: Mapping[str, Row]) -> dict[str, object]:
    mine = {test: row for test, row in rows.items() if row.operator == name}
    return {"name": name, "count": len(mine), "misses": misses(mine),
            "right": [sum(row.right(t) for row in mine.values()) for t in SHOWN]}


def misses(rows: Mapping[str, Row]) -> str:
    """Why tests are not right on every target: each reason, and how many tests have it."""
    reasons: Counter[str] = Counter()
    for name, row in rows.items():
        said = next((s for s in row.results.values() if s), "")
        if said:
            reasons[AS_ONNXRUNTIME.get(name) or _short(said)] += 1
    return "; ".join(f"{reason} ({n})" for reason, n in reasons.most_common())


def _short(said: str) -> str:
    """A sentence without its node and its advice, for a cell of a table."""
    text = WHERE.sub("", said.removeprefix(REFUSED))
    return re.split(r"\. |; ", text)[0].rstrip(".").replace("|", "\\|")
