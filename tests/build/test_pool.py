"""Child processes: what they import, and when they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.site_folder import copy_site

# Modules that Python, multiprocessing, a recipe and onnxsim import.
IMPORTED = ("signal", "multiprocessing", "selectors", "onnx", "onnxsim", "numpy", "runpy", "json")


def test_children_import_nothing_from_the_working_directory(tmp_path: Path) -> None:
    """A pull request could bring a file of that name."""
    site = copy_site(tmp_path / "site")
    for name in IMPORTED:
        (site / f"{name}.py").write_text("from pathlib import Path\nPath('ran').touch()\nrun = {}")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "onnxpress.cli", "build", "docs/tint.yml", "--out", "out"],
        cwd=site, text=True, capture_output=True, check=False)
    assert not (site / "ran").exists()
    assert done.returncode == 0, done.stderr


BUILD = """
import os, sys, time
from pathlib import Path
from onnxpress.build.pool import Pool
from onnxpress.limits import Limits
from onnxpress.model.child import run_child

def job(tell, folder):
    Path(folder, f"worker-{os.getpid()}").touch()
    run_child("slow", folder)

if __name__ == "__main__":
    pool = Pool(1, print, Limits())
    pool.submit(job, sys.argv[1])
    time.sleep(100)
"""
SLOW = """
import os, sys, time
from pathlib import Path
Path(sys.argv[1], f"child-{os.getpid()}").touch()
time.sleep(100)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a signal")
def test_children_end_with_their_parent(tmp_path: Path) -> None:
    """A parent that runs out of memory is killed and cannot end them itself."""
    (tmp_path / "building.py").write_text(BUILD)
    (tmp_path / "slow.py").write_text(SLOW)
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    (tmp_path / "made").mkdir()
    parent = subprocess.Popen([sys.executable, tmp_path / "building.py", tmp_path / "made"],
                              env={**os.environ, "PYTHONPATH": paths})
    made = _wait(lambda: len(list((tmp_path / "made").iterdir())) == 2 and [
        int(path.name.rpartition("-")[2]) for path in (tmp_path / "made").iterdir()])
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _wait(lambda: not any(map(_lives, made)))


def _lives(process: int) -> bool:
    """Whether it runs; one that nobody has waited for yet does not."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], text=True,
                          capture_output=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def _wait(found):
    end = time.monotonic() + 30
    while not (value := found()) and time.monotonic() < end:
        time.sleep(0.1)
    return value
