"""Installs the engines that tests run in, where they are missing.

    python -m support.install chromium firefox dawn lavapipe

Without Chromium it fails. Tests of the others are skipped on a machine that has none.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxpress.run.browser import find_chromium
from support import dawn, firefox, lavapipe


@dataclass(frozen=True)
class Engine:
    """`find` returns something true where the engine is there; `install` fetches it."""

    title: str
    find: Callable[[], Any]
    install: Callable[[], object]


def install_chromium() -> None:
    """Debian's package on Debian, else Playwright's download, else any package of that name."""
    if "debian" in _system():
        install_package("chromium")
    if not find_chromium():
        _runs([sys.executable, "-m", "pip", "install", "--quiet", "playwright"])
        _runs([sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"])
    if not find_chromium() and "debian" not in _system():
        install_package("chromium")


def install_firefox() -> None:
    install_package("firefox-esr")
    firefox.find_firefox.cache_clear()


def install_package(name: str) -> None:
    """Tries the package of Debian or Ubuntu, as root or with sudo."""
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if all(map(shutil.which, [*sudo[:1], "apt-get"])):
        _runs([*sudo, "apt-get", "update", "-qq"])
        _runs([*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", name])


def _system() -> list[str]:
    """What the machine's system calls itself, for instance ["ID=debian"]."""
    release = Path("/etc/os-release")
    lines = release.read_text("utf-8").splitlines() if release.is_file() else []
    return [line.removeprefix("ID=") for line in lines]


def _runs(command: list[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False, timeout=600,
                          env=environment).returncode == 0


ENGINES = {
    "chromium": Engine("Chromium", find_chromium, install_chromium),
    "firefox": Engine("Firefox", firefox.find_firefox, install_firefox),
    "dawn": Engine("Dawn in Node.js", dawn.environment, dawn.install),
    "lavapipe": Engine("Mesa's lavapipe", lavapipe.find_lavapipe,
                       lambda: install_package("mesa-vulkan-drivers")),
}


def main(names: list[str]) -> None:
    """Makes sure of each engine.

    Raises:
        SystemExit: there is no Chromium, or a name is unknown.
    """
    for name in names:
        if name not in ENGINES:
            raise SystemExit(f'unknown engine "{name}"; there are {", ".join(ENGINES)}')
        engine = ENGINES[name]
        if not engine.find():
            engine.install()
        found = engine.find()
        if name == "chromium" and not found:
            raise SystemExit("No Chromium: install one (apt install chromium) or set CHROMIUM to "
                             "its path.")
        sys.stdout.write(f"{engine.title}: {'found' if found else 'not here; tests skip it'}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
