"""Finds Dawn for Node (the npm package webgpu) for the benchmark's tests, and installs it."""

import os
import shutil
import subprocess
from pathlib import Path

from onnxpress.run.browser import find_chromium

HOME = Path(__file__).parents[2] / ".venv/dawn"
PACKAGE = "webgpu@0.6.2"


def environment() -> dict[str, str] | None:
    """What Node needs so that the package is found and computes on the processor, by Chromium's own
    SwiftShader; None where one of the three is missing."""
    driver = _driver()
    if not (shutil.which("node") and (HOME / "node_modules/webgpu").is_dir() and driver):
        return None
    libraries = (str(driver.parent), os.environ.get("LD_LIBRARY_PATH"))
    return {"NODE_PATH": str(HOME / "node_modules"), "VK_DRIVER_FILES": str(driver),
            "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries))}


def _driver() -> Path | None:
    """The file beside Chromium that names its SwiftShader; with it lies Vulkan's loader."""
    chromium = find_chromium()
    folders = [Path(chromium).resolve().parent] if chromium else []
    found = [folder / "vk_swiftshader_icd.json"
             for folder in (*folders, Path("/usr/lib/chromium"))]
    return next(filter(Path.is_file, found), None)


def install() -> None:
    npm = shutil.which("npm")
    if npm and not (HOME / "node_modules/webgpu").is_dir():
        HOME.mkdir(parents=True, exist_ok=True)
        subprocess.run([npm, "install", "--silent", "--prefix", HOME, PACKAGE], check=False,
                       timeout=300)
