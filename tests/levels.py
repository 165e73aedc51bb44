"""Which loop runs a test: every mark but `large` is assigned here, from the fixtures of the test.

`make quick` runs the tests of level quick, `make test` runs levels quick and test, and `make
test-full` runs all. A new test without a browser is quick, and one with a browser is full, unless a
row of the tables below says otherwise. A row is the beginning of a test's name.
"""

import pytest

# Fixtures of conftest.py that stand for a program beside Python; each is also a mark.
ENGINES = ("chromium", "firefox", "dawn", "lavapipe")

# Without a browser, but too slow for a loop at each save: whole nets, whole sites, child processes,
# and sweeps over shapes, of which the table of cases has the telling ones.
SLOW = (
    "build/test_builds", "build/test_display", "build/test_limits", "build/test_pool",
    "build/test_reproducible", "cli/", "fuzz/", "kinds/test_picture.py::test_a_large",
    "model/test_frontends", "model/test_recipes",
    "ops/test_interpret", "pack/test_pack", "pack/test_shards", "passes/test_models", "proof/",
    "runtime/test_size", "site/test_dedupe", "site/test_export", "site/test_page",
    "site/test_plugin", "wasm/test_chain", "wasm/test_conv", "wasm/test_exchange",
    "wasm/test_int8.py::test_channels", "wasm/test_kernels",
)

# Without a browser, but minutes long.
LONG = (
    "bench/", "cases/test_random_models.py::test_many",
    "conformance/test_conformance.py::test_no_node_test_is_wrong", "fuzz/test_fuzz.py::test_many",
    "proof/test_sheet.py::test_a_changed_byte",
)

# In Chromium: what a visitor meets on a sound page, and every case on every target.
SOUND = (
    "cases/test_in_browser.py::test_case", "cases/test_random_in_browser.py::test_some",
    "cases/test_scripts_in_browser.py::test_javascript", "kinds/",
    "runtime/test_data", "runtime/test_element", "runtime/test_load", "runtime/test_targets",
    "site/test_page",
)


def engines(item: pytest.Item) -> set[str]:
    """The engines that the test needs, by its fixtures or by a parameter such as "firefox"."""
    call = getattr(item, "callspec", None)
    named = {value for value in call.params.values() if isinstance(value, str)} if call else set()
    return {name for name in ENGINES if name in item.fixturenames or name in named}


def level(item: pytest.Item) -> str:
    """quick, test or full."""
    needed = engines(item)
    name = item.nodeid.removeprefix("tests/")
    if item.get_closest_marker("large") or needed - {"chromium"} or name.startswith(LONG):
        return "full"
    if needed:
        return "test" if name.startswith(SOUND) else "full"
    return "test" if name.startswith(SLOW) else "quick"


def assign(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in (level(item), *engines(item)):
            item.add_marker(mark)
