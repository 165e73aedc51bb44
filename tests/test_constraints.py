"""constraints.txt: what a site's CI installs when it asks for the tested versions."""

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.constraints import FILE, PIN, direct, installed, pinned


@pytest.mark.parametrize("requirement", direct(), ids=str)
def test_the_tested_versions_are_in_the_ranges_of_pyproject(requirement: Requirement) -> None:
    version = pinned()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version, prereleases=True)


def test_each_line_pins_one_package() -> None:
    lines = [line for line in FILE.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert all(PIN.fullmatch(line) for line in lines)
    names = [line.partition("==")[0] for line in lines]
    assert names == sorted(set(names))
    assert not {"onnxpress", "pip", "pytest"} & set(names)


def test_what_the_packages_need_is_pinned_too() -> None:
    """Packages whose versions here are the pinned ones need nothing that is not pinned."""
    versions, pins = installed(), pinned()
    assert {"click", "markupsafe", "protobuf", "pymdown-extensions"} <= pins.keys()
    if all(versions.get(name, version) == version for name, version in pins.items()):
        assert versions.keys() <= pins.keys()
