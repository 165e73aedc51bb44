"""The importer and the interpreter agree with onnxruntime on whole nets."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnxpress.importer.model import import_model
from onnxpress.ops import OPS, bound, check_shapes
from onnxpress.ops.interpret import interpret
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
