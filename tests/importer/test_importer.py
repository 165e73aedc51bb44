"""The importer: opset differences, static shapes, folding, names, and what it says on refusal."""

from itertools import pairwise

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxpress.errors import ModelError, OnnxPressError, UnsupportedError
from onnxpress.importer.model import import_model
from onnxpress.ops.attrs import Quant
from onnxpress.ops.interpret import interpret
from onnxpress.ops.pointwise import quant_of
from support.onnx_models import LIGHT, feeds, floats, ints, model, node, onnxruntime_outputs

IMAGE = {"x": (1, 4, 7, 9)}
INT = np.int64


def test_names_shapes_and_types_stay() -> None:
    net = model([node("Cast", "x", "y", to=TensorProto.INT32), node("ArgMax", "x", "z", axis=1)],
                {"x": (2, 3)}, ("y", "z"), types={"x": TensorProto.FLOAT16})
    graph = import_model(net)
    assert (graph.inputs, graph.outputs) == (("x",), ("y", "z"))
    assert [(graph.values[n].shape, graph.values[n].dtype) for n in ("x", "y", "z")] == [
        ((2, 3), "f16"), ((2, 3), "i32"), ((2, 1), "i64")]


def test_outputs_that_are_inputs_constants_or_each_other() -> None:
    net = model([node("Identity", "x", "same"), node("Relu", "x", "a"), node("Identity", "a", "b"),
                 node("Identity", "w", "c")],
                {"x": (2,)}, ("x", "same", "a", "b", "c"), {"w": floats(3)})
    arrays = {"x": np.array([-1, 2], np.float32)}
    got = interpret(import_model(net), arrays)
    np.testing.assert_array_equal(got["same"], arrays["x"])
    np.testing.assert_array_equal(got["a"], got["b"])
    np.testing.assert_array_equal(got["c"], floats(3))


def test_a_name_of_ours_never_takes_one_of_the_model() -> None:
    """The convolution of "y" would be called "y.conv2d"."""
    net = model([node("Conv", "x w", "y"), node("Relu", "y", "y.conv2d")], IMAGE, ("y.conv2d",),
                {"w": floats(2, 4, 1, 1)})
    arrays = feeds(net)
    want = onnxruntime_outputs(net, arrays)["y.conv2d"]
    np.testing.assert_allclose(interpret(import_model(net), arrays)["y.conv2d"], want, 1e-5)


def test_images_are_channels_last_and_weights_in_place() -> None:
    net = model([node("Conv", "x w")], IMAGE, weights={"w": floats(6, 4, 3, 2)})
    graph = import_model(net)
    assert [n.op for n in graph.nodes] == ["transpose", "conv2d", "transpose"]
    _, w, bias = graph.nodes[1].inputs
    assert graph.shape(w) == (3, 2, 4, 6)
    assert graph.shape(bias) == (6,)
    assert all(a.dtype == np.float32 for a in graph.constants.values())


def test_shape_arithmetic_is_computed_on_the_way() -> None:
    """Flattening as PyTorch exports it: Shape, Gather, Unsqueeze, Concat, Reshape."""
    net = model([node("Shape", "x", "s"), node("Gather", "s zero", "n"),
                 node("Unsqueeze", "n axes", "n1"), node("Concat", "n1 minus", "to", axis=0),
                 node("Reshape", "x to")],
                {"x": ("batch", 3, 4)}, weights={"zero": np.array(0, INT), "axes": ints(0),
                                                 "minus": ints(-1)})
    graph = import_model(net, {"x": (2, 3, 4)})
    assert [n.op for n in graph.nodes] == ["reshape"]
    assert graph.shape("y") == (2, 12)


@pytest.mark.parametrize("outputs", [("y", "z"), ("z", "y"), ("a", "z", "y"), ("y", "z", "a")])
def test_outputs_may_be_one_value(outputs: tuple[str, ...]) -> None:
    net = model([node("Neg", "x", "a"), node("Identity", "a", "y"), node("Identity", "a", "z")],
                {"x": (2,)}, outputs=outputs)
    got = interpret(import_model(net), {"x": np.array([1, -2])})
    assert {name: list(array) for name, array in got.items()} == {n: [-1, 2] for n in outputs}


def test_weights_listed_as_inputs_stay_weights() -> None:
    net = model([node("Add", "x w")], {"x": (2,), "w": (2,)}, weights={"w": floats(2)})
    net.ir_version = 3
    assert import_model(net).inputs == ("x",)


def test_nodes_that_no_output_needs_are_dropped() -> None:
    net = model([node("NonMaxSuppression", "x x", "boxes"), node("Relu", "x")], {"x": (2,)})
    assert [n.op for n in import_model(net).nodes] == ["pointwise"]


def test_a_constant_condition_chooses_its_branch() -> None:
    def branch(op: str) -> onnx.GraphProto:
        return helper.make_graph([node(op, "x", "inner"), node("Neg", "inner", "out")], op, [],
                                 [onnx.ValueInfoProto(name="out")])

    parts = [node("If", "c", name, then_branch=branch("Exp"), else_branch=branch("Abs"))
             for name in ("p", "q")]
    net = model([*parts, node("Add", "p q")], {"x": (3,)}, weights={"c": np.array(False)})
    got = interpret(import_model(net), {"x": np.array([-1, 0, 2])})["y"]
    np.testing.assert_array_equal(got, [-2, 0, -4])


def test_functions_of_the_model_and_of_onnx_are_inlined() -> None:
    own = helper.make_function("here", "Twice", ["a"], ["b"], [node("Add", "a a", "b")],
                               [helper.make_opsetid("", 18)])
    nodes = [helper.make_node("Twice", ["x"], ["t"], domain="here"),
             node("MeanVarianceNormalization", "t", "m"), node("CenterCropPad", "m s", "y")]
    net = model(nodes, IMAGE, weights={"s": ints(1, 4, 5, 11)}, opset=18)
    net.functions.append(own)
    net.opset_import.append(helper.make_opsetid("here", 1))
    assert import_model(net).shape("y") == (1, 4, 5, 11)


def test_quantized_weights_stay_integers_in_the_layout_of_their_reader() -> None:
    w = np.arange(-6, 6).astype(np.int8).reshape(3, 4, 1, 1)
    net = model([node("DequantizeLinear", "w s z", "wf", axis=0), node("Conv", "x wf")], IMAGE,
                weights={"w": w, "s": floats(3), "z": np.array([1, 0, -1], np.int8)})
    graph = import_model(net)
    (made,) = [n for n in graph.nodes if quant_of(n)]
    x, scale, zero = made.inputs
    assert quant_of(made) == Quant("dequantize", scale, zero, 3)
    assert (graph.values[x].dtype, graph.shape(x)) == ("i8", (1, 1, 4, 3))
    np.testing.assert_array_equal(graph.constants[x].reshape(4, 3), w.reshape(3, 4).T)
    assert graph.shape(scale) == (1, 1, 1, 3)


def test_ten_thousand_nodes_in_a_row() -> None:
    names = ["x", *(f"v{i}" for i in range(9_999)), "y"]
    nodes = [helper.make_node("Relu", [a], [b])
             for a, b in pairwise(names)]
    assert len(import_model(model(nodes, {"x": (2,)})).nodes) == 10_000


DYNAMIC = {"x": ("n", 3, "height", "width")}
BIG = ints(2**25 + 1, 5)

SENTENCES = {
    "dynamic": (
        model([node("Relu", "x")], DYNAMIC), {},
        'input "x": dimension 0 (n) is dynamic; fix the shape, for example '
        "--shape x=1x3x224x224"),
    "rank": (
        model([node("Relu", "x")], DYNAMIC), {"x": (3, 224, 224)},
        'input "x" has the shape nx3xheightxwidth; 3x224x224 does not fit'),
    "stray shape": (
        model([node("Relu", "x")], {"image": (2,), "x": (2,)}), {"imag": (2,)},
        'a shape is given for "imag", which is not an input of the model; its inputs are image, x. '
        'Did you mean "image"?'),
    "no elements": (
        model([node("Relu", "x")], {"x": (0, 2)}), {},
        'input "x": dimension 0 is 0; it must be 1 at least'),
    "opset": (
        model([node("Relu", "x")], {"x": (2,)}, opset=6), {},
        "opset 6 is not supported; convert the model to an opset from 7 to 28"),
    "an operator of another meaning": (
        model([node("BatchNormalization", "x s s s s", spatial=0)], {"x": (1, 2, 3)},
              weights={"s": floats(2)}, opset=8), {},
        'BatchNormalization node "the_batchnormalization" (opset 8): it normalizes each position '
        "on its own; export the model to opset 9"),
    "no opset": (
        ModelProto(), {},
        "the model names no opset; it is not an ONNX model, or it is cut short"),
    "domain": (
        model([helper.make_node("FusedGelu", ["x"], ["y"], name="g", domain="com.microsoft")],
              {"x": (2,)}), {},
        'FusedGelu node "g": operators of the domain "com.microsoft" are not supported; export the '
        "model with standard ONNX operators"),
    "operator": (
        model([node("GatherND", "x i")], {"x": (2,), "i": (1, 1)}), {},
        'GatherND node "the_gathernd" (opset 13): this operator is not supported. The nearest that '
        'is: "Gather".'),
    "loop": (
        model([node("Loop", "m c x")], {"x": (2,)},
              weights={"m": np.array(3, INT), "c": np.array(True)}), {},
        'Loop node "the_loop" (opset 13): loops are not supported; unroll it when exporting the '
        "model."),
    "run-time shape": (
        model([node("Reshape", "x s")], {"x": (2,), "s": (2,)}, types={"s": TensorProto.INT64}), {},
        'Reshape node "the_reshape" (opset 13): its shape is computed at run time; it must be a '
        "constant"),
    "type": (
        model([node("Cast", "x", to=TensorProto.BFLOAT16)], {"x": (2,)}), {},
        'Cast node "the_cast" (opset 13): the type bfloat16 is not supported; the nearest is '
        "float"),
    "input type": (
        model([node("Identity", "x")], {"x": (2,)}, types={"x": TensorProto.STRING}), {},
        'input "x": the type string is not supported; convert it to float'),
    "channels": (
        model([node("Conv", "x w")], IMAGE, weights={"w": floats(6, 3, 3, 3)}), {},
        'Conv node "the_conv" (opset 13): 4 channels in 1 groups do not fit weights for 3 in, '
        "6 out"),
    "pads": (
        model([node("Conv", "x w", pads=[1, 1, 1])], IMAGE, weights={"w": floats(6, 4, 3, 3)}), {},
        'Conv node "the_conv" (opset 13): attribute "pads" must hold 4 integers, it holds 3'),
    "attribute kind": (
        model([node("Softmax", "x", axis=1.5)], {"x": (2, 3)}), {},
        'Softmax node "the_softmax" (opset 13): attribute "axis" must be an integer, it is a '
        "number"),
    "attribute of another opset": (
        model([node("ReduceSum", "x", axes=[1])], {"x": (2, 3)}), {},
        'ReduceSum node "the_reducesum": opset 13 does not define its attribute "axes".'),
    "choice": (
        model([node("Resize", "x _ s", mode="area")], IMAGE,
              weights={"s": np.float32([1, 1, 2, 2])}), {},
        'Resize node "the_resize" (opset 13): mode "area" is not one of nearest, linear, cubic.'),
    "axis": (
        model([node("Concat", "x x", axis=3)], {"x": (2, 3)}), {},
        'Concat node "the_concat" (opset 13): axis 3 does not exist in rank 2'),
    "missing attribute": (
        model([node("Concat", "x x")], {"x": (2, 3)}), {},
        'Concat node "the_concat" (opset 13): attribute "axis" is missing'),
    "missing input": (
        model([node("Conv", "x")], IMAGE), {},
        'Conv node "the_conv" (opset 13): input 1 is missing'),
    "order": (
        model([node("Relu", "later"), node("Relu", "x", "later")], {"x": (2,)}), {},
        'Relu node "the_relu" (opset 13): it reads "later", which no node before it makes'),
    "output": (
        model([node("Relu", "x", "z")], {"x": (2,)}), {}, 'output "y" is made by no node'),
    "second output": (
        model([node("MaxPool", "x", "y i", kernel_shape=[2, 2])], IMAGE, ("y", "i")), {},
        'MaxPool node "the_maxpool" (opset 13): its output Indices is read; only the first output '
        "is supported"),
    "training": (
        model([node("BatchNormalization", "x a b c d", training_mode=1)], IMAGE,
              weights={k: floats(4) for k in "abcd"}, opset=15), {},
        'BatchNormalization node "the_batchnormalization" (opset 15): it is in training mode; '
        "export the model for inference"),
    "fold bomb": (
        model([node("ConstantOfShape", "s", "c"), node("Add", "x c")], {"x": (1,)},
              weights={"s": ints(10**6, 10**6)}), {},
        'ConstantOfShape node "the_constantofshape" (opset 13): it makes a constant of '
        "1000000000000 elements; a page cannot hold more than 67108864 beyond what the model file "
        "holds"),
    "range bomb": (
        model([node("Range", "a b c", "r"), node("Gather", "x r")], {"x": (2,)},
              weights={"a": np.array(0, INT), "b": np.array(2**62, INT), "c": np.array(1, INT)}),
        {}, 'Range node "the_range" (opset 13): it needs a constant of '
            "4611686018427387904 elements; a page cannot hold more than 67108864"),
    "resize bomb": (
        model([node("Resize", "x _ _ s")], IMAGE, weights={"s": ints(1, 4, 2**40, 9)}), {},
        'Resize node "the_resize" (opset 13): it makes an axis of 1099511627776; 32768 is the '
        "most"),
    "too large": (
        model([node("Expand", "x s")], {"x": (1, 1)}, weights={"s": ints(2**20, 2**20)}), {},
        'Expand node "the_expand" (opset 13): its result (1048576, 1048576) has 1099511627776 '
        "elements, more than a page can address (1073741824); give the model smaller inputs"),
    "large integers": (
        model([node("Add", "x w")], {"x": (2,)}, weights={"w": BIG},
              types={"x": TensorProto.INT64}), {},
        'constant "w" holds the integer 33554433, which is not exact in f32; integers must stay '
        "within 16777216"),
    "large integer": (
        model([node("Add", "x w")], {"x": (2,)}, weights={"w": BIG[:1]},
              types={"x": TensorProto.INT64}), {},
        'Add node "the_add" (opset 13): the integer 33554433 is not exact in f32, in which every '
        "value is computed; integers must stay within 16777216"),
    "spatial axes": (
        model([node("GlobalAveragePool", "x")], {"x": (1, 3)}), {},
        'GlobalAveragePool node "the_globalaveragepool" (opset 13): its input has rank 2; it needs '
        "a spatial axis"),
    "3d": (
        model([node("Conv", "x w")], {"x": (1, 3, 4, 5, 6)}, weights={"w": floats(2, 3, 3, 3, 3)}),
        {}, 'Conv node "the_conv" (opset 13): its input has rank 5; one or two spatial axes are '
            "supported"),
    "run-time condition": (
        model([node("If", "c", "y", then_branch=onnx.GraphProto(), else_branch=onnx.GraphProto())],
              {"c": ()}, types={"c": TensorProto.BOOL}), {},
        'If node "the_if" (opset 13): its condition is computed at run time; it must be a '
        "constant"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_sentences(name: str) -> None:
    net, shapes, sentence = SENTENCES[name]
    with pytest.raises((ModelError, UnsupportedError)) as caught:
        import_model(net, shapes)
    assert str(caught.value) == sentence


def test_external_weights_are_never_opened() -> None:
    net = model([node("Relu", "x")], {"x": (2,)}, weights={"w": floats(2)})
    weight = net.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/hostname")
    with pytest.raises(ModelError, match="external file that was not loaded"):
        import_model(net)


def test_truncated_weights() -> None:
    net = model([node("Add", "x w")], {"x": (2,)}, weights={"w": floats(2)})
    net.graph.initializer[0].raw_data = b"\0\0\0"
    with pytest.raises(ModelError, match='weights "w": '):
        import_model(net)


SMALL = [m.SerializeToString() for m in (
    model([node("Conv", "x w", pads=[1, 1, 1, 1], strides=[2, 2])], IMAGE,
          weights={"w": floats(2, 4, 3, 3)}),
    model([node("Slice", "x s e"), ], IMAGE, weights={"s": ints(1, 0), "e": ints(2, 3)}),
    model([node("Resize", "x _ s", mode="cubic")], IMAGE, weights={"s": np.float32([1, 1, 2, 2])}),
    model([node("Split", "x", "y z", axis=2, split=[3, 4])], IMAGE, ("y", "z"), opset=11),
    model([node("Gemm", "x w", transB=1), ], {"x": (3, 4)}, weights={"w": floats(5, 4)}),
)]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.data())
def test_garbage_is_an_error_with_a_sentence(data: st.DataObject) -> None:
    """Changed bytes give a graph or an error of ours, never a traceback of somebody else's."""
    raw = bytearray(data.draw(st.sampled_from(SMALL)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    net = ModelProto()
    try:
        net.ParseFromString(bytes(raw))
    except Exception:
        return
    try:
        import_model(net)
    except OnnxPressError as error:
        assert str(error)


def test_light_nets_import_with_their_own_weights() -> None:
    """ConstantOfShape weights as they are stored, without onnxsim."""
    net = onnx.load(LIGHT / "light_squeezenet.onnx")
    assert numpy_helper.to_array(net.graph.initializer[0]).dtype == INT
    assert "conv2d" in {n.op for n in import_model(net).nodes}
