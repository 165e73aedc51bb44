"""A picture times a strength; both inputs are the visitor's."""

from onnx import ModelProto, TensorProto, helper


def build() -> ModelProto:
    def port(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "strength"], ["y"])], "tint",
        [port("x", [1, 3, "H", "W"]), port("strength", [1])], [port("y", [1, 3, "H", "W"])])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
