"""The invariants of ARCHITECTURE.md that can be read off the source."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from onnxpress.kernels import KERNELS
from onnxpress.ops import OPS
from onnxpress.runtime import RUNTIME, runtime_files
from support.paths import ROOT

PACKAGE = ROOT / "plugin/onnxpress"
PYTHON = sorted(PACKAGE.rglob("*.py"))
BROWSER = sorted(RUNTIME.rglob("*.js"))
JS_IMPORT = re.compile(r"""(?:\bfrom|\bimport\()\s*["'](\.[^"']+)["']""")
JS_COMMENT = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.S)
MAX_FILE, MAX_FUNCTION, MAX_LINE = 400, 60, 100  # ruff holds Python's lines

# The rooms from the street to the ground: each imports those behind it, never one before it.
STREET = ("cli", "site", "build", "demo", "compiler", "proof", "programs", "run", "kernels",
          "emit", "passes", "importer", "model", "spec", "runtime", "manifest", "tasks", "kinds",
          "ops", "graph", "weights", "pack", "targets", "limits", "files", "words", "errors")

GROUND = ("files", "words", "errors")  # every room may import these

# The browser's rooms below runtime/, in the same way. A module beside the folders is a room too, or
# belongs to the folder of its name.
BROWSER_STREET = ("worker", "bench", "proof", "onnxpress", "page", "tasks", "kinds", "model",
                  "targets", "load", "dom", "tensors", "errors")

# Who may import what comes from outside, and nobody else.
GATES = {
    "mkdocs": {"site/mkdocs_plugin.py"},
    "properdocs": set(),
    "markdown": {"site/fence.py"},
    "onnx": {"model/source.py", "model/spill.py", "model/simplify.py", "importer/model.py",
             "importer/functions.py", "importer/nodes.py",
             "model/reference.py", "model/frontends/__init__.py", "model/frontends/child.py",
             "model/frontends/recipe.py", "model/frontends/tflite.py"},
    "torch": {"model/frontends/torch_module.py"},
    "keras": {"model/frontends/keras_model.py"},
    "safetensors": {"model/frontends/weights.py"},
    "psutil": {"build/pool.py"},
    "onnxsim": {"model/simplify.py"},
    "onnxruntime": {"proof/yardstick.py"},
    "wgpu": {"run/wgsl.py"},
    "py_mini_racer": {"run/javascript.py"},
    "wasmtime": {"run/wasmtime.py"},
    "urllib.request": {"model/download.py"},
    "socket": {"model/download.py"},
    "fsspec": {"build/shared_cache.py"},
}


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Dotted names that the file imports; relative ones start with dots."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield base
            yield from (f"{base}{'' if base.endswith('.') else '.'}{a.name}" for a in node.names)


@pytest.mark.parametrize("path", PYTHON + BROWSER, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_file_fits_on_a_few_screens(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_FILE


@pytest.mark.parametrize("path", PYTHON, ids=relative)
def test_functions_are_short(path: Path) -> None:
    long = [f"{n.name}: {n.end_lineno - n.lineno + 1} lines"
            for n in ast.walk(ast.parse(path.read_text()))
            if isinstance(n, ast.FunctionDef) and n.end_lineno - n.lineno + 1 > MAX_FUNCTION]
    assert not long


@pytest.mark.parametrize("name", GATES)
def test_outside_packages_have_one_gate(name: str) -> None:
    users = {relative(p) for p in PYTHON
             if any(i == name or i.startswith(f"{name}.") for i in imports(p))}
    assert users <= GATES[name]


def rooms(path: Path) -> Iterator[tuple[str, ...]]:
    """The modules of the package that the file imports, as paths below it."""
    here = path.relative_to(PACKAGE).parent.parts
    for name in imports(path):
        dots = len(name) - len(name.lstrip("."))
        if dots:
            target = (*here[:len(here) - dots + 1], *filter(None, name.lstrip(".").split(".")))
            if target:
                yield target


def test_the_street_is_one_way() -> None:
    """Every import between rooms points down the street; a module at the top is a room too."""
    names = {p.name for p in PACKAGE.iterdir() if p.is_dir() and any(p.glob("*.py"))}
    flat = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__"}
    assert set(STREET) == names | flat
    rank = {room: i for i, room in enumerate(STREET)}
    against = sorted({f"{relative(path)} imports {'.'.join(target)}"
                      for path in PYTHON for target in rooms(path)
                      if (own := path.relative_to(PACKAGE).with_suffix("").parts[0]) in rank
                      and target[0] in rank and rank[target[0]] < rank[own]})
    assert not against


def test_the_street_in_the_browser_is_one_way() -> None:
    """A worker's script that a module starts is a program of its own and no import."""
    rank = {room: i for i, room in enumerate(BROWSER_STREET)}
    against, seen = [], set()
    for path in BROWSER:
        own = path.relative_to(RUNTIME).with_suffix("").parts[0]
        for link in JS_IMPORT.findall(JS_COMMENT.sub("", path.read_text("utf-8"))):
            target = (path.parent / link).resolve().relative_to(RUNTIME).with_suffix("").parts[0]
            seen |= {own, target}
            if rank[target] < rank[own]:
                against.append(f"{path.relative_to(RUNTIME)} imports {link}")
    assert not against
    assert seen == set(BROWSER_STREET)


def test_the_plan_shows_every_room() -> None:
    """ARCHITECTURE.md draws and lists the rooms in the order of the street, and the browser's."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    drawn = re.findall(r"│ (\w+) +(?=│)", text)
    listed = re.findall(r"^\| `(\w+)` \|", text, re.M)
    assert tuple(drawn) == tuple(listed) == STREET
    folders = {path.name for path in RUNTIME.iterdir() if any(path.glob("*.js"))}
    assert re.findall(r"^\| `runtime/(\w+)/` \|", text, re.M) == [
        room for room in BROWSER_STREET if room in folders]


def test_the_table_names_every_arrow() -> None:
    """ARCHITECTURE.md lists which rooms each room imports, beside the ground under all of them."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    listed = {room: set(re.findall(r"\w+", names)) for room, names
              in re.findall(r"^\| `(\w+)` \|.*\| ?([^|]*) ?\|$", text, re.M)}
    found: dict[str, set[str]] = {room: set() for room in STREET}
    for path in PYTHON:
        own = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if own in found:
            found[own] |= {target[0] for target in rooms(path)} & {*STREET} - {own, *GROUND}
    assert listed == found


def test_kernels_do_not_import_each_other() -> None:
    names = {p.name for p in (PACKAGE / "kernels").iterdir() if p.is_dir()}
    for name in names:
        for path in (PACKAGE / "kernels" / name).rglob("*.py"):
            found = {i.lstrip(".").partition(".")[0] for i in imports(path) if i.startswith("..")}
            assert not found & (names - {name}), path


def test_every_kernel_is_an_operators() -> None:
    """Importing the kernels fails where an operator lacks one; here none is left over."""
    folders = {p.name for p in (PACKAGE / "kernels").iterdir() if p.is_dir() and p.name[0] != "_"}
    assert folders == {op.kernel for op in OPS.values()} - {None}
    assert set(KERNELS) == {(op.name, target) for op in OPS.values() for target in op.targets}


@pytest.mark.parametrize("path", BROWSER, ids=lambda p: p.relative_to(RUNTIME).as_posix())
def test_the_browser_side_is_plain(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\beval\(|new Function|document\.write|innerHTML", text)
    code = JS_COMMENT.sub("", text)
    assert not re.search(r"https?://(?!www\.w3\.org/)", code), "no address outside the site"
    for target in JS_IMPORT.findall(text):
        assert (path.parent / target).is_file(), target
    assert "export default" not in text
    assert path.name == "shapes.js" or max(map(len, text.splitlines())) <= MAX_LINE  # made


def test_the_runtime_finds_all_its_files() -> None:
    assert "onnxpress.js" in runtime_files()
    assert "targets/webgpu.js" not in runtime_files(("js",))


def test_no_file_names_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True,
                            check=False).stdout.split()
    places = re.compile(r"(?<![\w.])/(?:home|root|work|tmp)/\w")
    for name in listed:
        path = ROOT / name
        if path.suffix in (".py", ".js", ".md", ".yml", ".toml", "") and path.is_file():
            assert not places.search(path.read_text(errors="ignore")), name
