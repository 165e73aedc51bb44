"""The importer and the interpreter agree with ONNX's conformance tests and with onnxruntime; the
passes leave the values of those tests alone."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import ModelProto, TensorProto, numpy_helper
from onnxpress.errors import OnnxPressError
from onnxpress.graph.graph import Graph
from onnxpress.importer.model import OPSETS, import_model
from onnxpress.ops import OPS, bound, check_shapes
from onnxpress.ops.interpret import interpret
from onnxpress.passes import run_passes
from onnxpress.passes.quantization import is_kind
from support.onnx_models import (
    EPSILON,
    NETS,
    OPTIMIZED,
    feeds,
    light,
    onnxruntime_outputs,
    style_net,
    tolerance,
)

EXCEPTIONS = yaml.safe_load((Path(__file__).parent / "conformance.yml").read_text())


LARGE = ("vgg19", "zfnet512")  # AlexNet's operators in hundreds of MB of weights


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.large] * (name in LARGE))
    for name in NETS if name not in OPTIMIZED])
def test_light_nets(name: str) -> None:
    net = light(name)
    graph = check_shapes(import_model(net))
    arrays = feeds(net)
    for output, want in onnxruntime_outputs(net, arrays).items():
        got = interpret(graph, arrays)[output]
        assert want.std() > 0
        assert np.abs(got - want).max() <= tolerance(graph) * np.abs(want).max()


def test_a_trained_net_with_dynamic_shapes() -> None:
    net = style_net("multistyle26")
    graph = import_model(net, {"image": (1, 3, 96, 128)})
    random = np.random.default_rng(1)
    arrays = {"image": random.random((1, 3, 96, 128), np.float32),
              "style_weights": np.eye(26, dtype=np.float32)[19]}
    want = onnxruntime_outputs(net, arrays)["stylized"]
    got = interpret(graph, arrays)["stylized"]
    assert np.abs(got - want).max() <= tolerance(graph) * np.abs(want).max()


@pytest.mark.parametrize("name", ["arbitrary_predict", "arbitrary_transform"])
def test_quantized_nets_node_by_node(name: str) -> None:
    """Rounding to 8 bits is chaotic over a whole net: a change of 1e-7 in its input moves the
    output by tens of steps in onnxruntime too. So every value starts from onnxruntime's own, and
    differs by at most one step, and then only where onnxruntime's f32 lies on a tie."""
    net = style_net(name)
    graph = import_model(net)
    arrays = feeds(net)
    known = {o.name for o in net.graph.output}
    made = [o for n in net.graph.node for o in n.output]
    net.graph.output.extend(onnx.ValueInfoProto(name=n) for n in made if n not in known)
    theirs = {**onnxruntime_outputs(net, arrays), **arrays}
    values: dict[str, Any] = {**graph.constants, **arrays}
    slack = dict.fromkeys(values, 0.0)
    for node in graph.nodes:
        operands = [values[i] for i in node.inputs]
        ulps = OPS[node.op].ulps(bound(node, graph), [a.shape for a in operands])
        results = OPS[node.op].reference(bound(node, graph), operands)
        for name, got in zip(node.outputs, results, strict=True):
            want = theirs.get(name, got).astype(np.float64)
            peak = max(np.abs(a[np.isfinite(a)]).max(initial=0) for a in (*operands, want))
            room = max(slack[i] for i in node.inputs) + EPSILON * (np.sqrt(ulps) + 1) * peak
            values[name], slack[name] = want, 0.0 if name in theirs else room
            off = ~np.isclose(got, want, EPSILON, room)
            if is_kind(node, "quantize"):
                assert np.abs(got - want).max() <= 1
                assert off.mean() < 1e-3
            else:
                assert not off.any(), name


def as_array(value: Any) -> np.ndarray:
    """The test's value as an array, in float64 if numpy has no such type.

    Raises:
        TypeError: it is a sequence or an optional.
    """
    if isinstance(value, list) or value is None:
        raise TypeError("no tensor")
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def prepared(case: Any) -> ModelProto:
    """The case at the newest opset that the importer reads, without side outputs that nobody
    could read in a page."""
    net = ModelProto.FromString(case.model.SerializeToString())
    for opset in net.opset_import:
        if opset.domain == "":
            opset.version = min(max(opset.version, OPSETS[0]), OPSETS[-1])
    if [n.op_type for n in net.graph.node] in (["LayerNormalization"], ["MaxPool"], ["Dropout"]):
        del net.graph.output[1:]
    return net


def imported(net: ModelProto, arrays: dict[str, np.ndarray]) -> tuple[Graph, dict]:
    """The graph and the arrays to feed it. Where operands must be constants they become some."""
    try:
        return check_shapes(import_model(net)), arrays
    except OnnxPressError as error:
        if "run time" not in str(error) and "is 0;" not in str(error):
            raise
    first = next(iter(arrays))
    free = {n: a for n, a in arrays.items() if n == first and len(arrays) > 1 and a.size}
    net.graph.initializer.extend(
        numpy_helper.from_array(a, n) for n, a in arrays.items() if n not in free)
    return check_shapes(import_model(net)), free


def outcome(case: Any) -> str:
    """"" if the case passes, the importer's sentence if it is refused, else what is wrong."""
    net = prepared(case)
    given, expected = case.data_sets[0]
    try:
        arrays = {i.name: as_array(a) for i, a in zip(net.graph.input, given, strict=True)}
        graph, free = imported(net, arrays)
        got = interpret(graph, {n: a for n, a in free.items() if n in graph.inputs})
        for info, want in zip(net.graph.output, expected, strict=False):
            want = as_array(want)
            kind = want.dtype if want.dtype.kind == "f" else np.float32
            step = float(np.finfo(kind).eps)
            peak = np.abs(want[np.isfinite(want)]).max(initial=1) if want.size else 1
            assert got[info.name].shape == want.shape, "shape"
            np.testing.assert_allclose(got[info.name], want.astype(np.float64),
                                       max(case.rtol, step), max(case.atol or 0, 4 * step * peak))
    except OnnxPressError as error:
        return f"refused: {error}"
    except TypeError:
        return "refused: no tensor"
    except AssertionError as error:
        return f"wrong: {error}"
    return ""


def test_onnx_node_tests() -> None:
    """Every node test passes, or an exception in conformance.yml names it or its refusal; an
    exception that no test needs fails."""
    from onnx.backend.test.case.node import collect_testcases

    refusals = dict.fromkeys(EXCEPTIONS["refused"], 0)
    wrong, passed = dict.fromkeys(EXCEPTIONS["wrong"], 0), 0
    surprises = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in collect_testcases(None):
            said = outcome(case)
            passed += not said
            reason = next((r for r in refusals if re.search(r, said)), None)
            if said.startswith("refused") and reason is not None:
                refusals[reason] += 1
            elif said.startswith("wrong") and case.name in wrong:
                wrong[case.name] += 1
            elif said:
                surprises[case.name] = said[:300]
    assert surprises == {}
    assert [r for r, count in {**refusals, **wrong}.items() if not count] == []
    assert passed > 1200


def test_onnx_node_tests_keep_their_meaning() -> None:
    """Whatever the importer makes of ONNX's own tests, the passes leave its values alone."""
    from onnx.backend.test.case.node import collect_testcases

    compared = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in collect_testcases(None):
            net = prepared(case)
            names = [i.name for i in net.graph.input]
            try:
                given = dict(zip(names, map(as_array, case.data_sets[0][0]), strict=False))
                before, arrays = imported(net, given)
            except (OnnxPressError, TypeError):
                continue  # test_onnx_node_tests counts refusals
            after = run_passes(before, lambda where, reason: None)
            want, got = interpret(before, arrays), interpret(after, arrays)
            for name in want:
                peak = np.abs(want[name][np.isfinite(want[name])]).max(initial=1)
                np.testing.assert_allclose(got[name], want[name], EPSILON, EPSILON * peak,
                                           err_msg=case.name)
                compared += 1
    assert compared > 1200
