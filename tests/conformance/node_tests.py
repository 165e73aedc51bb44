"""ONNX's own node tests: which are in scope, and how each is prepared for a page.

A page fixes shapes and weights when it is built. So a test that needs a shape or an axis as a
constant is prepared: every input but its first, or all of them, become constants.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, defs, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnxpress.errors import OnnxPressError
from onnxpress.graph.graph import DTYPES, Graph
from onnxpress.importer.model import import_model
from onnxpress.passes import run_passes

AS_SHIPPED = "as shipped"
CONSTANTS = "with all inputs but the first as constants"
ALL_CONSTANT = "with all inputs as constants"

# Why a test is out of scope: a part of a type's name, an operator or a domain -> the reason.
TYPES = {"FLOAT8": "float8", "BFLOAT16": "bfloat16", "INT4": "4-bit integers",
         "INT2": "2-bit integers", "FLOAT4": "float4", "STRING": "strings",
         "sequence": "sequences", "optional": "optionals"}
OPERATORS = {
    "ImageDecoder": "decoders of files",
    **dict.fromkeys(("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"), "losses"),
    **dict.fromkeys(("Bernoulli", "RandomUniformLike"), "random numbers")}
NAMES = {"sce_": "losses", "nllloss": "losses", "bernoulli": "random numbers",
         "training": "training mode"}
DOMAINS = {"ai.onnx.preview": "preview operators", "ai.onnx.preview.training": "training operators",
           "ai.onnx.ml": "the domain ai.onnx.ml"}
ALIASES = {"mvn": "MeanVarianceNormalization"}  # how names of tests begin
CODES = {"f32": "float32", "f16": "float16", "f64": "float64", "i8": "int8", "u8": "uint8",
         "i16": "int16", "u16": "uint16", "i32": "int32", "u32": "uint32", "i64": "int64",
         "u64": "uint64", "bool": "bool"}


@dataclass(frozen=True)
class NodeTest:
    """One test. `operator`: the node that it tests; of an expanded function, that function."""

    name: str
    operator: str
    opset: int
    model: ModelProto
    given: Sequence[Any]
    expected: Sequence[Any]
    rtol: float
    atol: float


@dataclass(frozen=True)
class Prepared:
    """A test's graph, and the inputs that are left to feed it."""

    test: NodeTest
    how: str
    graph: Graph
    feeds: Mapping[str, np.ndarray]


@cache
def node_tests() -> tuple[tuple[NodeTest, ...], Mapping[str, int]]:
    """(the tests in scope, reason -> how many tests are out of scope for it)."""
    found, left = [], dict[str, int]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in collect_testcases(None):
            reason = _out_of_scope(case.name, case.model)
            if reason:
                left[reason] = left.get(reason, 0) + 1
                continue
            (given, expected), = case.data_sets
            opset = next((o.version for o in case.model.opset_import if not o.domain), 0)
            found.append(NodeTest(case.name, _operator(case.name, case.model), opset, case.model,
                                  given, expected, case.rtol, case.atol))
    return tuple(found), dict(sorted(left.items(), key=lambda item: -item[1]))


def _operator(name: str, model: ModelProto) -> str:
    """The operator that the test is about: its only one, or the one that its name begins with. An
    expanded test has the body of a function in place of the operator."""
    ops = {n.op_type for n in model.graph.node}
    if len(ops) == 1 and "_expanded" not in name:
        return ops.pop()
    plain = name.removeprefix("test_").replace("_", "").lower()
    known = [s.name for s in defs.get_all_schemas() if plain.startswith(s.name.lower())]
    return max(known, key=len, default=ALIASES.get(plain[:3], model.graph.node[0].op_type))


def _out_of_scope(name: str, model: ModelProto) -> str:
    for domain in (o.domain for o in model.opset_import):
        if domain in DOMAINS:
            return DOMAINS[domain]
    for part, reason in NAMES.items():
        if part in name:
            return reason
    for node in model.graph.node:
        if node.op_type in OPERATORS:
            return OPERATORS[node.op_type]
    kinds = []
    for port in (*model.graph.input, *model.graph.output):
        tensor = port.type.HasField("tensor_type")
        kinds.append(TensorProto.DataType.Name(port.type.tensor_type.elem_type) if tensor
                     else port.type.WhichOneof("value").removesuffix("_type"))
    return next((reason for part, reason in TYPES.items() if any(part in k for k in kinds)), "")


def array(value: Any) -> np.ndarray:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def prepare(test: NodeTest) -> Prepared:
    """The test's graph: as shipped if the importer takes it so, else with constants.

    Raises:
        OnnxPressError: of the test as shipped; it is refused however it is prepared.
    """
    names = [port.name for port in test.model.graph.input]
    arrays = {n: array(a) for n, a in zip(names, test.given, strict=True)}
    first: OnnxPressError | None = None
    for how, free in ((AS_SHIPPED, names), (CONSTANTS, names[:1]), (ALL_CONSTANT, [])):
        net = ModelProto.FromString(test.model.SerializeToString())
        net.graph.initializer.extend(numpy_helper.from_array(arrays[n], n) for n in names
                                     if n not in free)
        try:
            graph = run_passes(import_model(net), lambda where, why: None)
        except OnnxPressError as error:
            first = first or error
            continue
        return Prepared(test, how, graph, {n: arrays[n] for n in free if n in graph.inputs})
    raise first or OnnxPressError("it has no inputs")


def fault(prepared: Prepared, outputs: Sequence[np.ndarray]) -> str:
    """What is wrong with the outputs, flat or in shape; "" if nothing is.

    Whole numbers must be equal. Others may differ as ONNX's own runner of these tests allows, and
    by four steps of the output's type at its peak.
    """
    for name, got, wanted in zip(prepared.graph.outputs, outputs, prepared.test.expected,
                                 strict=True):
        want = array(wanted)
        kind = CODES[prepared.graph.values[name].dtype]
        if kind != str(want.dtype):
            return f"the output {name} is {kind}, not {want.dtype}"
        if prepared.graph.shape(name) != want.shape:
            return f"the output {name} is {list(prepared.graph.shape(name))}, not {want.shape}"
        got = np.asarray(got, np.float64).reshape(want.shape)
        if want.dtype.kind != "f":
            off = got != want.astype(np.float64)
        else:
            finite = want[np.isfinite(want)].astype(np.float64)
            step = max(float(np.finfo(want.dtype).eps), float(np.finfo(np.float32).eps))
            room = max(test_room(prepared.test), 4 * step * np.abs(finite).max(initial=1))
            off = ~np.isclose(got, want.astype(np.float64), max(prepared.test.rtol, step), room,
                              equal_nan=True)
        if off.any():
            at = tuple(int(i) for i in np.argwhere(off)[0])
            return (f"{int(off.sum())} of {off.size} values of {name} are wrong, first "
                    f"{got[at]:.9g} for {float(want[at]):.9g}")
    return ""


def test_room(test: NodeTest) -> float:
    return test.atol or 0.0


assert set(CODES) == set(DTYPES)
