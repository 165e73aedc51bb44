"""A build asks the network nothing, and leaves nothing outside its own folders."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT
from support.site_folder import copy_site

# Python imports this first, in every process of the build. It lists each name that is looked up.
WATCH = """
import sys

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr",
                 "socket.connect"):
        with open({asked!r}, "a") as file:
            file.write(f"{event} {arguments[1:]}\\n")

sys.addaudithook(watch)
"""


def alone() -> list[str]:
    """A command that runs another one without a network, where the system allows that."""
    command = ["unshare", "--user", "--map-root-user", "--net"]
    there = shutil.which("unshare") and subprocess.run(
        [*command, "true"], capture_output=True, check=False).returncode == 0
    return command if there else []


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """The environment of a person whose home and temporary folders are empty."""
    for name in ("home", "tmp", "watch"):
        (tmp_path / name).mkdir()
    (tmp_path / "watch/sitecustomize.py").write_text(
        WATCH.replace("{asked!r}", repr(str(tmp_path / "asked"))))
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("XDG_", "ORT_"))}
    return {**kept, "HOME": str(tmp_path / "home"), "USERPROFILE": str(tmp_path / "home"),
            "PYTHONPATH": f"{tmp_path / 'watch'}{os.pathsep}{ROOT / 'plugin'}",
            **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(tmp_path / "tmp"))}


def test_a_build_asks_nothing_and_leaves_nothing(machine: dict[str, str], tmp_path: Path) -> None:
    """Recipes, onnxsim, onnxruntime and the programs run in several processes. onnxruntime 1.32
    writes a device's number into the home folder as soon as it is imported, and sends it later."""
    site = copy_site(tmp_path / "site")
    done = subprocess.run(
        [*alone(), sys.executable, "-m", "onnxpress.cli", "build", "docs/tint.yml", "--out", "out"],
        cwd=site, env=machine, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "telemetry" not in done.stderr
    left = [path for name in ("home", "tmp") for path in (tmp_path / name).rglob("*")]
    assert left == []
    assert not (tmp_path / "asked").exists(), (tmp_path / "asked").read_text()
