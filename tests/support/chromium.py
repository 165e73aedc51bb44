"""Finds a Chromium for the browser tests and installs one where there is none."""

import os
import shutil
import subprocess
import sys

from onnxpress.run.browser import find_chromium

# WebGPU on the processor: the same adapter on every machine.
SWIFTSHADER = ("--use-webgpu-adapter=swiftshader",)

# WebGPU paints canvases only where the browser itself draws on a GPU, or on an emulated one.
PAINTING = ("--enable-features=Vulkan", "--use-vulkan=swiftshader", "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader")


def install() -> None:
    """Tries Playwright's download, then Debian's package (as root, or with sudo)."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "playwright"]
    playwright = [sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"]
    if not (_runs(pip) and _runs(playwright) and find_chromium()):
        install_package("chromium")


def install_package(name: str) -> None:
    """Tries Debian's package (as root, or with sudo)."""
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if all(map(shutil.which, [*sudo[:1], "apt-get"])):
        _runs([*sudo, "apt-get", "update", "-qq"])
        _runs([*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", name])


def _runs(command: list[str]) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False, timeout=600,
                          env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}).returncode == 0


if __name__ == "__main__":
    if not find_chromium():
        install()
    path = find_chromium()
    if not path:
        sys.exit("No Chromium: install one (apt install chromium) or set CHROMIUM to its path.")
    sys.stdout.write(f"browser tests run in {path}\n")
