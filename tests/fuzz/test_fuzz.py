"""Spoiled files of each kind break no promise; and the runner sees a promise that is broken."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from onnxpress.errors import OnnxPressError

from fuzz import MUTATORS, runner
from fuzz.mutator import Case, Mutator
from fuzz.watch import CANARY

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows and its like cannot fork")
SEED = 7
FEW = {"models": 40, "specs": 120, "manifests": 60}
MANY = {"models": 300, "specs": 1000, "manifests": 300}


SUMMARY = re.compile(r"\w+: (\d+) cases; (\d+) done, (\d+) refused with a sentence, 0 faults; .*\n")


def fuzz(*arguments: object) -> str:
    """What the command prints."""
    done = subprocess.run([sys.executable, "-m", "fuzz", *map(str, arguments)], text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def require_no_fault(name: str, first: int, count: int) -> None:
    said = fuzz("--only", name, "--seed", SEED, "--number", first, "--count", count, "--seconds",
                3600, "--jobs", 1)
    match = SUMMARY.fullmatch(said)
    assert match, said
    cases, done, refused = map(int, match.groups())
    assert cases == count == done + refused
    # A mutator whose files are all refused, or all sound, would tell nothing.
    assert count / 20 < done < count / 2


@pytest.mark.parametrize("name", MUTATORS)
def test_a_few(name: str) -> None:
    require_no_fault(name, 0, FEW[name])


@pytest.mark.parametrize("name", MUTATORS)
def test_many(name: str) -> None:
    require_no_fault(name, FEW[name], MANY[name])


def test_a_case_is_the_same_at_every_time(tmp_path: Path) -> None:
    found = []
    for place in ("a", "b"):
        for name in ("models", "specs"):
            case = Case(MUTATORS[name], 3, 5)
            folder = tmp_path / place / name
            folder.mkdir(parents=True)
            what = case.mutator.spoil(case.draw(), folder)
            files = sorted((folder / "project").rglob("*.*"))
            content = [f.read_bytes().replace(str(folder).encode(), b"") for f in files
                       if f.is_file() and not f.is_symlink()]
            found.append((name, what, content))
    assert found[:2] == found[2:]


def _say(words: str) -> Callable[[Path], None]:
    def say(folder: Path) -> None:
        error = OnnxPressError()
        error.args = (words,)  # as a guard that forgets `plain` would
        raise error
    return say


def _hold(folder: Path) -> None:
    held = b"1" * 800_000_000
    assert held


def _spin(folder: Path) -> None:
    while True:
        pass


def _write(folder: Path) -> None:
    (folder.parent / "elsewhere").write_text("")


def _read(folder: Path) -> None:
    (folder / "outside/secret").read_text()


def _repeat(folder: Path) -> None:
    (folder / "project/out").mkdir(parents=True)
    (folder / "project/out/page.html").write_text(f"<p>{CANARY}</p>")


def _ask(folder: Path) -> None:
    socket.getaddrinfo("localhost", 80)


# What breaks a promise -> a part of the fault.
BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "a traceback": (lambda folder: [][1], "a traceback: unexpected IndexError"),
    "a crash": (lambda folder: os.kill(os.getpid(), 9), "a crash: the process ended with -9"),
    "a long loop": (_spin, "a hang: over 1 s of the processor"),
    "a wait": (lambda folder: time.sleep(60), "a hang: over 2 s"),
    "memory": (_hold, "GB of memory"),
    "a file written": (_write, "open wrote"),
    "a file read": (_read, "open read"),
    "a file repeated": (_repeat, "text from outside the project"),
    "a program": (lambda folder: subprocess.run(["true"], check=True), "started ['true']"),
    "a name looked up": (_ask, "socket.getaddrinfo"),
    "two lines": (_say("a\nb"), "obeys: 'a\\nb'"),
    "a CI's command": (_say("::error::x"), "obeys: '::error::x'"),
    "many words": (_say("x" * 301), "301 characters"),
    "a fault of ours": (_say("please report it"), "nobody expected"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_seen(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                  ) -> None:
    def spoil(draw: object, folder: Path) -> str:
        (folder / "outside").mkdir()
        (folder / "outside/secret").write_text(CANARY)
        return name

    monkeypatch.setattr(runner, "SECONDS", 1)
    monkeypatch.setattr(runner, "WALL", 2 if name == "a wait" else 60)
    if name == "memory":
        monkeypatch.setattr(runner, "GIGABYTES", 0.7)
    act, fault = BROKEN[name]
    mutator = Mutator("broken", spoil, act)
    [ending] = runner.run([Case(mutator, 1, 9)], tmp_path)
    assert ending.what == name and fault in ending.fault
    assert "again: make fuzz ONLY=broken SEED=1 NUMBER=9" in str(ending)


def test_the_command_repeats_one_case() -> None:
    said = fuzz("--only", "specs", "--number", 3, "--count", 1)
    assert said.startswith("specs-1-3: ") and "specs: 1 cases" in said


WITHOUT_RULES = """
import runpy, sys
from onnxpress.spec.files import Rules
Rules.admit = lambda self, path, where: path
sys.argv = ["fuzz", "--only", "specs", "--seed", "4", "--count", "200"]
runpy.run_module("fuzz", run_name="__main__")
"""


def test_the_mutator_of_specs_finds_what_the_rules_hold_off() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_RULES], text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                          capture_output=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "touched: open read" in done.stdout
