"""Writes constraints.txt: the versions with which onnxpress was tested, of all packages that a site
needs. `make constraints`, after the tests have passed in this environment."""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.paths import ROOT

FILE = ROOT / "constraints.txt"
EXTRAS = ("demos", "webgpu")  # beside what onnxpress itself needs
HEAD = """\
# Versions with which onnxpress was tested: pip install --constraint constraints.txt onnxpress
# `make constraints` writes this file anew. demos/about/building.md tells how a site uses it.
"""
PIN = re.compile(r"([a-z0-9-]+)==(\S+)")


def direct() -> list[Requirement]:
    """What pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = [*project["dependencies"],
             *(text for extra in EXTRAS for text in project["optional-dependencies"][extra])]
    return [Requirement(text) for text in named]


def installed() -> dict[str, str]:
    """Package -> the version in this environment, for all that `direct` needs in turn."""
    found: dict[str, str] = {}
    waiting, seen = direct(), set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        try:
            package = distribution(requirement.name)
        except PackageNotFoundError:  # another system's
            continue
        found[canonicalize_name(requirement.name)] = package.version
        waiting += _needs(package.requires or (), {"", *requirement.extras})
    return found


def _needs(texts: "list[str] | tuple[str, ...]", extras: set[str]) -> Iterator[Requirement]:
    for requirement in map(Requirement, texts):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            yield requirement


def pinned() -> dict[str, str]:
    """Package -> the version in constraints.txt."""
    lines = FILE.read_text("utf-8").splitlines()
    matches = [PIN.fullmatch(line) for line in lines if line and not line.startswith("#")]
    return {match[1]: match[2] for match in matches if match}


if __name__ == "__main__":
    rows = [f"{name}=={version}\n" for name, version in sorted(installed().items())]
    FILE.write_text(HEAD + "".join(rows), "utf-8", newline="\n")
    sys.stdout.write(f"{FILE.name}: {len(rows)} packages\n")
