"""The table of cases: each small graph runs on the reference and on all targets.

tests/cases/*.yml hold `name: "inputs => nodes"` in ONNX's textual syntax; a name in capitals is a
constant, the result is `y`. onnxruntime is the judge. unsupported.yml lists what a target cannot
do and why; an entry that works after all fails. Tolerances follow from the operators: `ulps` of
every node of the compiled graph, in units of f32 epsilon times the output's peak.
"""

import json
import re
import zlib
from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
import yaml
from onnxpress.compiler import BUILDERS
from onnxpress.emit.wgsl.device import DEVICES
from onnxpress.files import json_bytes
from onnxpress.importer.model import import_model
from onnxpress.ops import OPS, bound
from onnxpress.ops.interpret import interpret
from onnxpress.pack.pack import write_manifest, write_pack
from onnxpress.passes import run_passes
from onnxpress.programs.webgpu.share import parse
from onnxpress.proof.golden import golden
from onnxpress.run.browser import Browser
from onnxpress.run.wasmtime import WasmProgram
from onnxpress.runtime import RUNTIME
from onnxpress.weights.encodings import plan
from onnxpress.weights.shards import read_weights
from support.chromium import SWIFTSHADER
from support.packs import run_pack

HERE = Path(__file__).parent
CASES = {f"{path.stem}/{name}": row
         for path in sorted(HERE.glob("*.yml")) if path.stem != "unsupported"
         for name, row in yaml.safe_load(path.read_text()).items()}
UNSUPPORTED = yaml.safe_load((HERE / "unsupported.yml").read_text()) or {}
TARGETS = ("reference", "relaxed", "simd128", "js", "wasm", "webgpu")
DTYPES = {"float": np.float32, "int64": np.int64, "int32": np.int32, "int8": np.int8,
          "uint8": np.uint8, "uint32": np.uint32, "bool": np.bool_}
EPSILON = float(np.finfo(np.float32).eps)


class Case:
    """One row: its model, its inputs and onnxruntime's answer."""

    def __init__(self, name: str, row: str | dict) -> None:
        self.name = name
        row = {"graph": row} if isinstance(row, str) else row
        given = {k: np.asarray(v) for k, v in row.get("values", {}).items()}
        self.random = np.random.default_rng(zlib.crc32(name.encode()))
        head, _, body = row["graph"].partition("=>")
        arrays = {}
        for dtype, shape, value in re.findall(r"(\w+)(?:\[([\d,]*)\])? (\w+)", head):
            dims = [int(n) for n in shape.split(",")] if shape else []
            arrays[value] = self._array(given.get(value), dims, DTYPES[dtype], row)
        self.feeds = {k: v for k, v in arrays.items() if not k[0].isupper()}
        inputs = ", ".join(p.strip() for p in re.findall(r"\w+(?:\[[\d,]*\])? \w+", head)
                           if not p.split()[-1][0].isupper())
        text = (f'<ir_version: 9, opset_import: ["" : {row.get("opset", 17)}]> '
                f"case ({inputs}) => (y) {{ {body} }}")
        model = onnx.parser.parse_model(text)
        model.graph.initializer.extend(
            onnx.numpy_helper.from_array(v, k) for k, v in arrays.items() if k[0].isupper())
        self.model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        session = onnxruntime.InferenceSession(self.model.SerializeToString(),
                                               providers=["CPUExecutionProvider"])
        self.want = np.asarray(session.run(None, self.feeds)[0], np.float64)
        if not self.model.graph.output[0].type.tensor_type.HasField("shape"):
            kind = onnx.helper.np_dtype_to_tensor_dtype(session.run(None, self.feeds)[0].dtype)
            del self.model.graph.output[:]
            self.model.graph.output.append(
                onnx.helper.make_tensor_value_info("y", kind, list(self.want.shape)))

    def _array(self, given, shape: list[int], dtype: type, row: dict) -> np.ndarray:
        if given is not None:
            return given.astype(dtype).reshape(shape)
        if "low" not in row:
            values = self.random.standard_normal(shape)
        else:
            values = self.random.uniform(row["low"], row["high"], shape)
        return np.asarray(values).astype(dtype)

    def compile(self, folder: Path) -> None:
        """Writes the pack; targets that cannot run the graph keep their error."""
        programs, self.refused = [], {}
        self.graph = run_passes(import_model(self.model), lambda where, why: None)
        for target, build in BUILDERS.items():
            try:
                programs.append(build(self.graph))
            except Exception as error:  # shown by the tests of that target
                self.refused[target] = error
        self.folder = folder / self.name
        self.folder.mkdir(parents=True)
        encodings = plan(self.graph.constants, "f32")
        self.manifest = write_pack(self.graph, programs, encodings, self.folder)
        ports = [(0.0, 1.0)] * len(self.graph.inputs)
        check = {**golden(ports, [], metric="peak", tolerance=1.0), "outputs": []}
        self.about = {"name": "case", **self.manifest, "golden": check, "proof": [], "notes": []}
        write_manifest(self.about, self.folder)

    @property
    def tolerance(self) -> float:
        ulps = sum(OPS[n.op].ulps(bound(n, self.graph), [self.graph.shape(i) for i in n.inputs])
                   for n in self.graph.nodes)
        peak = float(np.abs(self.want[np.isfinite(self.want)]).max(initial=0))
        return (ulps + 1) * EPSILON * max(peak, 1.0)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    folder = tmp_path_factory.mktemp("cases")
    found = {}
    for name, row in CASES.items():
        found[name] = Case(name, row)
        try:
            found[name].compile(folder)
        except Exception as error:
            found[name].refused = dict.fromkeys(("lower", *BUILDERS), error)
    return found


@pytest.fixture(scope="module")
def browser(cases: dict[str, Case], tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.getbasetemp()
    with Browser({"/runtime/": RUNTIME, "/packs/": folder}, flags=SWIFTSHADER) as chromium:
        chromium.root = folder
        yield chromium


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CASES)
def test_case(name: str, target: str, cases: dict[str, Case], request: pytest.FixtureRequest
              ) -> None:
    case = cases[name]
    reason = UNSUPPORTED.get(target, {}).get(name)
    if reason:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    error = case.refused.get("lower") or case.refused.get(
        {"relaxed": "wasm", "simd128": "wasm"}.get(target, target))
    if error:
        raise error
    got = run(case, target, request)
    assert got.shape == case.want.shape
    np.testing.assert_allclose(got, case.want, rtol=0, atol=case.tolerance)


def run(case: Case, target: str, request: pytest.FixtureRequest) -> np.ndarray:
    feeds = {k: v.astype(np.float32) for k, v in case.feeds.items()}
    if target == "reference":
        return np.asarray(interpret(case.graph, feeds)["y"])
    if target in ("relaxed", "simd128"):
        about = case.manifest["targets"]["wasm"]
        code = (case.folder / about["files"][target]["url"]).read_bytes()
        program = WasmProgram(code, about, read_weights(case.manifest, case.folder))
        return program.run([feeds[n] for n in case.graph.inputs])[0].reshape(case.want.shape)
    return in_browser(case, target, request.getfixturevalue("browser"), "manifest.json")


def in_browser(case: Case, target: str, chromium: Browser, manifest: str) -> np.ndarray:
    url = f"/packs/{(case.folder / manifest).relative_to(chromium.root).as_posix()}"
    ordered = {n: case.feeds[n].astype(np.float32) for n in case.graph.inputs}
    return run_pack(chromium, url, target, ordered)[0].reshape(case.want.shape)


HERE_CLASS = "integrated"  # what SwiftShader counts as


def structures(case: Case, kind: str) -> set[tuple[str, ...]]:
    """The shaders of its program for that class of GPU, but for numbers and epilogues."""
    entry = case.manifest["targets"]["webgpu"]["files"][kind]
    program = json.loads((case.folder / entry["url"]).read_bytes())
    codes = [re.sub(r"(?s)fn finish\(.*?\n}", "", s["code"]) for s in program["shaders"]]
    return {parse(re.sub(r"\bnumbers\[\d+\]\.[xyzw]", "1u", code)).pieces for code in codes}


def test_other_classes_of_gpus(cases: dict[str, Case], browser: Browser) -> None:
    """Of the programs for other classes, those with a shader that no program before has."""
    built = [case for case in cases.values() if not {"lower", "webgpu"} & case.refused.keys()]
    seen = set().union(*(structures(case, HERE_CLASS) for case in built))
    ran = []
    for kind in (device.name for device in DEVICES):
        for case in built:
            new = structures(case, kind) - seen
            if not new:
                continue
            seen |= new
            ran.append(kind)
            about = deepcopy(case.about)
            files = about["targets"]["webgpu"]["files"]
            files[HERE_CLASS] = files[kind]
            (case.folder / f"{kind}.json").write_bytes(json_bytes(about))
            got = in_browser(case, "webgpu", browser, f"{kind}.json")
            np.testing.assert_allclose(got, case.want, rtol=0, atol=case.tolerance,
                                       err_msg=f"{case.name} for a {kind} GPU")
    assert set(ran) == {"discrete", "mobile"}
