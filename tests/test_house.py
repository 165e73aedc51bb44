"""The invariants of ARCHITECTURE.md that can be read off the source."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from onnxpress.kernels import KERNELS
from onnxpress.runtime_files import RUNTIME, runtime_files

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "plugin/onnxpress"
PYTHON = sorted(PACKAGE.rglob("*.py"))
BROWSER = sorted(RUNTIME.rglob("*.js"))
MAX_FILE, MAX_FUNCTION = 400, 60

# Who may import what comes from outside, and nobody else.
GATES = {
    "mkdocs": {"mkdocs_plugin.py"},
    "properdocs": set(),
    "markdown": {"fence.py"},
    "onnx": {"source.py", "spill.py", "simplify.py", "importer.py", "frontends/__init__.py",
             "frontends/child.py", "frontends/recipe.py", "frontends/tflite.py"},
    "torch": {"frontends/torch_module.py"},
    "keras": {"frontends/keras_model.py"},
    "safetensors": {"frontends/weights.py"},
    "onnxsim": {"simplify.py"},
    "onnxruntime": {"verify.py"},
    "wasmtime": {"wasmtime_runner.py"},
    "urllib.request": {"download.py"},
    "socket": {"download.py"},
    "fsspec": {"shared_cache.py"},
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


@pytest.mark.parametrize("folder", ["passes", "kernels", "ops", "onnx_ops"])
def test_the_street_is_one_way(folder: str) -> None:
    """Nothing below the compiler knows it or anything after it."""
    later = {"compiler", "pack", "verify", "demo", "page", "cli", "mkdocs_plugin", "fence",
             "source", "browser"}
    for path in (PACKAGE / folder).rglob("*.py"):
        depth = len(path.relative_to(PACKAGE).parts)
        found = {i.lstrip(".").partition(".")[0] for i in imports(path)
                 if i.startswith("." * depth) and not i.startswith("." * (depth + 1))}
        assert not found & later, path


def test_kernels_do_not_import_each_other() -> None:
    names = {p.name for p in (PACKAGE / "kernels").iterdir() if p.is_dir()}
    for name in names:
        for path in (PACKAGE / "kernels" / name).glob("*.py"):
            found = {i.lstrip(".").partition(".")[0] for i in imports(path) if i.startswith("..")}
            assert not found & (names - {name}), path


def test_every_kernel_has_all_targets() -> None:
    for name in {module.__name__.rpartition(".")[2] for module in KERNELS.values()}:
        folder = PACKAGE / "kernels" / name
        wanted = {"wasm.py", "js.py"} | ({"wgsl.py"} if name != "fill_halo" else set())
        assert wanted <= {p.name for p in folder.iterdir()}, name


@pytest.mark.parametrize("path", BROWSER, ids=lambda p: p.relative_to(RUNTIME).as_posix())
def test_the_browser_side_is_plain(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\beval\(|new Function|document\.write|innerHTML", text)
    code = re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", text, flags=re.S)
    assert not re.search(r"https?://(?!www\.w3\.org/)", code), "no address outside the site"
    for target in re.findall(r"""(?:from|import\()\s*["'](\.[^"']+)["']""", text):
        assert (path.parent / target).is_file(), target
    assert "export default" not in text


def test_the_runtime_finds_all_its_files() -> None:
    assert "onnxpress.js" in runtime_files()
    assert "backends/webgpu.js" not in runtime_files(("js",))


def test_no_file_names_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True,
                            check=False).stdout.split()
    places = re.compile(r"(?<![\w.])/(?:home|root|work|tmp)/\w")
    for name in listed:
        path = ROOT / name
        if path.suffix in (".py", ".js", ".md", ".yml", ".toml", "") and path.is_file():
            assert not places.search(path.read_text(errors="ignore")), name
