"""Every case of the table in a browser, on WebAssembly and JavaScript; see support/cases.py.

WebAssembly runs in wasmtime too, in test_cases.py.
"""

from pathlib import Path

import pytest
from onnxpress.run.browser import Browser
from support.cases import case, parameters, run_in_browser


def check(browser: Browser, name: str, target: str, folder: Path) -> None:
    row = case(name)
    row.pack(target, folder / "pack")
    row.check(run_in_browser(browser, row, folder / "pack/manifest.json", target))


@pytest.mark.parametrize(("name", "target"), parameters(("js",)))
def test_javascript(browser: Browser, name: str, target: str, tmp_path: Path) -> None:
    check(browser, name, target, tmp_path)


@pytest.mark.parametrize(("name", "target"), parameters(("wasm",)))
def test_webassembly(browser: Browser, name: str, target: str, tmp_path: Path) -> None:
    check(browser, name, target, tmp_path)
