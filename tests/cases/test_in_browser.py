"""Every case of the table in a browser, on WebGPU; see support/cases.py."""

import json
import re
from pathlib import Path

import pytest
from onnxpress.emit.wgsl.device import DEVICES
from onnxpress.files import json_bytes
from onnxpress.pack.values import to_json
from onnxpress.programs.webgpu.merge import parse
from onnxpress.run.browser import Browser
from support.cases import ROWS, UNSUPPORTED, Case, case, parameters, run_in_browser

HERE = "integrated"  # the class of GPUs that SwiftShader counts as


@pytest.mark.parametrize(("name", "target"), parameters(("webgpu",)))
def test_case(browser: Browser, name: str, target: str, tmp_path: Path) -> None:
    row = case(name)
    row.pack(target, tmp_path / "pack")
    row.check(run_in_browser(browser, row, tmp_path / "pack/manifest.json", target))


def structures(row: Case, kind: str) -> set[tuple[str, ...]]:
    """The shaders of its program for that class of GPU, but for numbers and epilogues."""
    program = json.loads(row.program("webgpu").files[kind][0])
    codes = [re.sub(r"(?s)fn finish\(.*?\n}", "", s["code"]) for s in program["shaders"]]
    return {parse(re.sub(r"\bnumbers\[\d+\]\.[xyzw]", "1u", code)).pieces for code in codes}


def test_other_classes_of_gpus(browser: Browser, tmp_path: Path) -> None:
    """Runs each program for another class of GPU that has a shader which no earlier program has."""
    rows = [case(name) for name in ROWS if name not in UNSUPPORTED.get("webgpu", {})]
    seen = set().union(*(structures(row, HERE) for row in rows))
    ran = []
    for kind in (device.name for device in DEVICES):
        for row in rows:
            new = structures(row, kind) - seen
            if not new:
                continue
            seen |= new
            ran.append(kind)
            folder = tmp_path / kind / row.name
            about = to_json(row.pack("webgpu", folder))
            files = about["targets"]["webgpu"]["files"]
            files[HERE] = files[kind]
            (folder / "other.json").write_bytes(json_bytes(about))
            row.check(run_in_browser(browser, row, folder / "other.json", "webgpu"),
                      f"{row.name} for a {kind} GPU")
    assert set(ran) == {"discrete", "mobile"}
