"""Runs dawn.mjs: Dawn, Chromium's WebGPU, in Node. The script itself needs no Python."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ...errors import BrowserError
from ...runtime import write_runtime

SCRIPT = Path(__file__).with_suffix(".mjs")
REFUSED = 2  # exit status; the last line on standard error is then a sentence for people


def run_in_dawn(folder: Path, *options: str) -> dict[str, Any]:
    """The script's measurements of the pack in `folder`.

    Takes node from PATH, and npm packages from the current folder or a folder above it.

    Raises:
        BrowserError: there is no Node.js, it has no WebGPU, or the pack fails there.
    """
    node = shutil.which("node")
    if not node:
        raise BrowserError("bench --engine dawn needs Node.js on PATH and the npm package webgpu: "
                           "install both (Debian: apt install nodejs npm; then npm install webgpu)")
    write_runtime(folder, ("webgpu",))
    done = subprocess.run([node, SCRIPT, folder, "--json", *options], encoding="utf-8",
                          capture_output=True, check=False)
    if done.returncode:
        errors = done.stderr.strip()
        raise BrowserError("bench --engine dawn: " + (
            errors.splitlines()[-1] if done.returncode == REFUSED else errors))
    return json.loads(done.stdout)[0]
