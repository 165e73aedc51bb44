"""The package holds on Linux, macOS and Windows: what can be read off its source."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from support.paths import ROOT

PACKAGE = ROOT / "plugin/onnxpress"
# Modules and functions of the standard library that Windows lacks.
LACKING = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}
POSIX = {"fork", "forkpty", "geteuid", "getuid", "killpg", "mkfifo", "nice", "setsid", "sysconf"}
TEXT = {"read_text": 0, "write_text": 1}  # which argument is the encoding


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else None
            yield name or (node.func.id if isinstance(node.func, ast.Name) else ""), node


def faults(tree: ast.AST) -> Iterator[str]:
    """Sentences on what reads or writes otherwise on another system."""
    for name, call in calls(tree):
        given = {keyword.arg for keyword in call.keywords}
        where = f"line {call.lineno}: {name}"
        if name in TEXT and len(call.args) <= TEXT[name] and "encoding" not in given:
            yield f"{where} must name its encoding"
        if name == "write_text" and "newline" not in given:
            yield f"{where} must name its newline"
        if name in ("run", "Popen", "check_output") and given & {"text", "universal_newlines"}:
            yield f"{where} must name its encoding instead of text"
        if name == "open" and is_text(call) and "encoding" not in given:
            yield f"{where} must name its encoding"


def is_text(call: ast.Call) -> bool:
    """Whether open(path, mode) or path.open(mode) gives text: its mode is missing or lacks "b".
    Other methods named open have a value before them that is no path and no module."""
    if isinstance(call.func, ast.Attribute):
        owner = call.func.value
        if not (isinstance(owner, ast.Name) and owner.id in ("path", "file", "part", "target")):
            return False
    modes = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    modes += [k.value.value for k in call.keywords
              if k.arg == "mode" and isinstance(k.value, ast.Constant)]
    return not any("b" in mode for mode in modes)


def test_text_has_an_encoding_and_newlines() -> None:
    found = [f"{path.relative_to(PACKAGE)}, {fault}" for path, tree in trees().items()
             for fault in faults(tree)]
    assert not found


def test_the_faults_are_found() -> None:
    wrong = ("p.read_text()", "p.write_text(t)", "p.write_text(t, 'utf-8')", "open(name)",
             "path.open('w')", "subprocess.run(c, text=True)")
    for line in wrong:
        assert list(faults(ast.parse(line))), line
    assert not list(faults(ast.parse("p.write_text(t, 'utf-8', newline='')\nopen(n, 'rb')")))


def test_what_windows_lacks_is_tried_only() -> None:
    for path, tree in trees().items():
        nodes = list(ast.walk(tree))
        tried = {id(inner) for node in nodes if isinstance(node, ast.Try)
                 for inner in ast.walk(node)}
        for node in nodes:
            where = (path, getattr(node, "lineno", 0))
            if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in tried:
                names = [getattr(node, "module", None) or "", *(a.name for a in node.names)]
                assert not LACKING & set(names), where
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert node.value.id != "os" or node.attr not in POSIX, where
