"""The table of cases: small graphs in ONNX's textual syntax, and onnxruntime's answer for each, or
the answer of ONNX's reference where the row says `judge: reference`.

tests/cases/*.yml hold `name: "inputs => nodes"`; a name in capitals is a constant, the result is
`y`. `functions` are the model's own, in the domain `own`. unsupported.yml lists what a target
cannot do and why; an entry that works after all fails.
"""

import re
import zlib
from collections.abc import Collection, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
import yaml
from onnx.reference import ReferenceEvaluator
from onnxpress.compiler import BUILDERS, ports
from onnxpress.graph.graph import Graph
from onnxpress.importer.model import import_model
from onnxpress.manifest.manifest import Manifest
from onnxpress.manifest.pack import finish
from onnxpress.ops import OPS, bound
from onnxpress.pack.proof import Golden, GoldenOutput
from onnxpress.passes import run_passes
from onnxpress.programs.program import Program
from onnxpress.proof.written import write
from onnxpress.run.browser import Browser
from onnxpress.weights.encodings import plan
from support.manifests import bare_manifest
from support.packs import run_pack
from support.paths import TESTS

FOLDER = TESTS / "cases"
ROWS: dict[str, Any] = {
    f"{path.stem}/{name}": row
    for path in sorted(FOLDER.glob("*.yml")) if path.stem != "unsupported"
    for name, row in yaml.safe_load(path.read_text("utf-8")).items()}
UNSUPPORTED = yaml.safe_load((FOLDER / "unsupported.yml").read_text("utf-8")) or {}
DTYPES = {"float": np.float32, "int64": np.int64, "int32": np.int32, "int8": np.int8,
          "uint8": np.uint8, "int16": np.int16, "uint16": np.uint16, "uint32": np.uint32,
          "uint64": np.uint64, "bool": np.bool_}
EPSILON = float(np.finfo(np.float32).eps)


class Case:
    """One row: its model, its inputs and onnxruntime's answer. Graph and programs are made when
    they are first asked for."""

    def __init__(self, name: str, row: str | Mapping[str, Any]) -> None:
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
        text = (f'<ir_version: 9, opset_import: ["" : {row.get("opset", 17)}, "own" : 1]> '
                f"case ({inputs}) => (y) {{ {body} }} {row.get('functions', '')}")
        model = onnx.parser.parse_model(text)
        model.graph.initializer.extend(
            onnx.numpy_helper.from_array(v, k) for k, v in arrays.items() if k[0].isupper())
        self.model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        judge = (ReferenceEvaluator(self.model) if row.get("judge") == "reference" else
                 onnxruntime.InferenceSession(self.model.SerializeToString(),
                                              providers=["CPUExecutionProvider"]))
        answer = np.asarray(judge.run(None, self.feeds)[0])
        self.whole = answer.dtype.kind in "iub"
        self.want = answer.astype(np.float64)
        if not self.model.graph.output[0].type.tensor_type.HasField("shape"):
            kind = onnx.helper.np_dtype_to_tensor_dtype(answer.dtype)
            del self.model.graph.output[:]
            self.model.graph.output.append(
                onnx.helper.make_tensor_value_info("y", kind, list(self.want.shape)))

    def _array(self, given: np.ndarray | None, shape: list[int], dtype: type,
               row: Mapping[str, Any]) -> np.ndarray:
        if given is not None:
            return given.astype(dtype).reshape(shape)
        if "low" not in row:
            values = self.random.standard_normal(shape)
        else:
            values = self.random.uniform(row["low"], row["high"], shape)
        return np.asarray(values).astype(dtype)

    @cached_property
    def graph(self) -> Graph:
        return run_passes(import_model(self.model), lambda where, why: None)

    @cache  # noqa: B019, cases live as long as the process
    def program(self, target: str) -> Program:
        return BUILDERS[target](self.graph)

    def pack(self, target: str, folder: Path) -> Manifest:
        """The manifest of a pack of one target in `folder`."""
        folder.mkdir(parents=True)
        encodings = plan(self.graph.constants, "f32")
        written = write(self.graph, [self.program(target)], encodings, folder)
        # Nothing of the outputs is kept: random inputs are not what the rows are about.
        unchecked = Golden(1, ((0.0, 1.0),) * len(self.graph.inputs),
                           (GoldenOutput((), (), 0.0),) * len(self.graph.outputs), "peak", 1.0)
        manifest = bare_manifest(
            inputs=ports(self.graph, self.graph.inputs),
            outputs=ports(self.graph, self.graph.outputs), weights=written.weights,
            targets=written.targets, golden=unchecked)
        finish(manifest, folder)
        return manifest

    def check(self, got: np.ndarray, about: str = "") -> None:
        """`got` is onnxruntime's answer: whole numbers exactly, others within the operators'
        tolerance, which is `ulps` of every node of the graph, in units of f32 epsilon times the
        output's peak."""
        ulps = sum(OPS[n.op].ulps(bound(n, self.graph), [self.graph.shape(i) for i in n.inputs])
                   for n in self.graph.nodes)
        peak = float(np.abs(self.want[np.isfinite(self.want)]).max(initial=0))
        atol = 0 if self.whole else (ulps + 1) * EPSILON * max(peak, 1.0)
        np.testing.assert_allclose(got, self.want, rtol=0, err_msg=about, atol=atol)


def run_in_browser(browser: Browser, row: Case, manifest: Path, target: str) -> np.ndarray:
    """The row's result, by its pack in a browser."""
    feeds = {n: row.feeds[n].astype(np.float32) for n in row.graph.inputs}
    return run_pack(browser, manifest, target, feeds)[0].reshape(row.want.shape)


@cache
def case(name: str) -> Case:
    return Case(name, ROWS[name])


def parameters(targets: Collection[str]) -> list[Any]:
    """(name, target) for every row, one after another; known gaps are expected to fail."""
    def gap(name: str, target: str) -> list[pytest.MarkDecorator]:
        reason = UNSUPPORTED.get(target, {}).get(name)
        return [pytest.mark.xfail(reason=reason, strict=True)] if reason else []

    return [pytest.param(name, target, id=f"{name}-{target}", marks=gap(name, target))
            for name in ROWS for target in targets]


MOST = 12  # nodes of an operator
PLANNED = {"copy", "fill_halo", "conv2d_chain"}  # operators that only planners make
IN_CASES = tuple(sorted(set(OPS) - PLANNED))


def nodes_alone(op: str) -> list[Graph]:
    """Graphs of one node each, up to MOST that differ in attributes or shapes, of an operator in
    the table of cases. All operands are inputs."""
    return _nodes_alone()[op]


@cache
def _nodes_alone() -> dict[str, list[Graph]]:
    seen: dict[str, dict[object, Graph]] = {op: {} for op in IN_CASES}
    for name in ROWS:
        graph = case(name).graph
        for node in graph.nodes:
            known = seen[node.op]
            key = repr(node.attrs), *(graph.shape(n) for n in node.inputs)
            if len(known) < MOST:
                values = {n: graph.values[n] for n in (*node.inputs, *node.outputs)}
                inputs = tuple(dict.fromkeys(node.inputs))
                known.setdefault(key, Graph(inputs, node.outputs, (node,), values, {}))
    return {op: list(known.values()) for op, known in seen.items()}
