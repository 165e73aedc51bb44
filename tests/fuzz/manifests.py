"""Manifests that somebody has spoiled. Python and the browser's modules find the same fault at the
same place. A manifest without one runs right, or ends in a sentence."""

import json
import random
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from onnxpress.demo.demo import press_demo
from onnxpress.errors import OnnxPressError
from onnxpress.manifest.manifest import Manifest
from onnxpress.manifest.sense import misfits
from onnxpress.pack.shapes import Record
from onnxpress.pack.values import faults, from_json
from onnxpress.runtime import RUNTIME
from onnxpress.site.recheck import recheck
from onnxpress.spec import load_demo
from support.mutations import mutate
from support.node import find_node

from .mutator import SHARED, Mutator
from .specs import sound_project

ANSWER = """
import {{ createInterface }} from "node:readline";
import {{ readFile }} from "node:fs/promises";
import {{ faultOf }} from {check};
import {{ misfitOf }} from {sense};
for await (const path of createInterface({{ input: process.stdin }})) {{
  const value = JSON.parse(await readFile(path, "utf8"));
  let told;
  try {{
    const fault = faultOf("Manifest", value) ?? misfitOf(value);
    told = fault ? fault.place : null;
  }} catch (error) {{
    told = `a traceback: ${{error.message}}`;
  }}
  console.log(JSON.stringify(told));
}}
"""


def prepare(folder: Path) -> None:
    """A sound pack."""
    project = sound_project(folder / "manifests")
    demo = load_demo(project / "docs/demo.yml", project / "models")
    press_demo(demo, project / "out", project / "downloads")


def spoil(draw: random.Random, folder: Path) -> str:
    pack = folder / "project/out"
    shutil.copytree(folder.parent / SHARED / "manifests/project/out", pack)
    value, done = json.loads((pack / "manifest.json").read_text("utf-8")), []
    for _ in range(draw.choice((1, 1, 1, 2))):
        what, value = mutate(value, draw.randrange(2**31))
        done.append(what)
    (pack / "manifest.json").write_text(json.dumps(value), "utf-8")
    return ", ".join(done)


def run(folder: Path) -> None:
    """`onnxpress verify --js`. The place of the first fault goes to a file beside the pack."""
    path = folder / "project/out/manifest.json"
    place = _place(json.loads(path.read_text("utf-8")))
    (folder / "place.json").write_text(json.dumps(place))
    try:
        recheck(path, js=True)
    except OnnxPressError as error:
        if place is not None and place not in str(error) and "…" not in str(error):
            raise AssertionError(f"the fault at {place} is told thus: {error}") from None
        raise
    if place is not None:
        raise AssertionError(f"it runs in spite of a fault at {place}")


def _place(value: Any) -> str | None:
    fault = next(faults(Record(Manifest), value), None)
    fault = fault or next(misfits(from_json(Manifest, value, "m")), None)
    return fault.place if fault else None


def agree(folder: Path) -> str:
    here = json.loads((folder / "place.json").read_text())
    there = _ask(folder / "project/out/manifest.json")
    return "" if here == there else f"Python finds a fault at {here}, browsers at {there}"


def _ask(manifest: Path) -> str | None:
    """The place of the fault that the browser's modules find."""
    node = _node()
    assert node.stdin and node.stdout
    node.stdin.write(f"{manifest}\n")
    node.stdin.flush()
    return json.loads(node.stdout.readline() or '"nowhere: Node.js has ended"')


@cache
def _node() -> subprocess.Popen[str]:
    modules = {name: json.dumps((RUNTIME / f"load/{name}.js").as_uri())
               for name in ("check", "sense")}
    return subprocess.Popen(
        [find_node(), "--input-type=module", "--eval", ANSWER.format(**modules)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=gettempdir())


MANIFESTS = Mutator("manifests", spoil, run, agree, lambda: _place({}), prepare)
