"""A small builder of NCHW ONNX graphs for recipes: opset 17, f32, the same names every time."""

import numpy as np
from onnx import ModelProto, TensorProto, helper

OPSET = 17


class Net:
    """Adds one operator per call and returns its output's name.

    Without trained weights, `conv` and `dense` draw He-normal weights from a seeded generator, so a
    recipe gives the same bytes every time. The model is one protobuf message from the start,
    because protobuf copies parts that are joined later.

    Source: He et al. 2015, "Delving Deep into Rectifiers", eq. 10.
    """

    def __init__(self, name: str, input_shape: tuple[int | str, ...], seed: int = 0,
                 input_name: str = "input") -> None:
        self.input_name, self.input_shape = input_name, input_shape
        self.random = np.random.default_rng(seed)
        self.proto = ModelProto(ir_version=8, producer_name="onnxpress recipe",
                                opset_import=[helper.make_opsetid("", OPSET)])
        self.graph = self.proto.graph
        self.graph.name = name
        self.channels = {input_name: input_shape[1]}

    def constant(self, array: np.ndarray, stem: str = "const") -> str:
        name, array = f"{stem}.{len(self.graph.initializer)}", np.ascontiguousarray(array)
        self.graph.initializer.add(name=name, dims=array.shape, raw_data=array.tobytes(),
                                   data_type=helper.np_dtype_to_tensor_dtype(array.dtype))
        return name

    def normal(self, shape: tuple[int, ...], deviation: float) -> np.ndarray:
        """f32 values, drawn row by row, because the generator draws f64."""
        out = np.empty(shape, np.float32)
        for row in out:
            row[...] = self.random.standard_normal(row.shape) * deviation
        return out

    def op(self, kind: str, *inputs: str, channels: int | None = None, **attrs) -> str:
        out = f"{kind.lower()}.{len(self.graph.node)}"
        self.graph.node.append(helper.make_node(kind, list(inputs), [out], name=out, **attrs))
        self.channels[out] = self.channels[inputs[0]] if channels is None else channels
        return out

    def conv(self, x: str, channels: int, kernel: int, stride: int = 1, *, pads=None, groups=1,
             weight: np.ndarray | None = None, bias: np.ndarray | None = None) -> str:
        """`weight`: [O, C/groups, K, K]; `pads`: (top, left, bottom, right), or None for K // 2."""
        fan_in = self.channels[x] // groups * kernel * kernel
        if weight is None:
            shape = (channels, self.channels[x] // groups, kernel, kernel)
            weight = self.normal(shape, np.sqrt(2 / fan_in))
        inputs = [x, self.constant(np.asarray(weight, np.float32), "weight")]
        if bias is not None:
            inputs.append(self.constant(np.asarray(bias, np.float32), "bias"))
        pads = [kernel // 2] * 4 if pads is None else list(pads)
        return self.op("Conv", *inputs, channels=channels, kernel_shape=[kernel] * 2,
                       strides=[stride] * 2, pads=pads, group=groups)

    def deconv(self, x: str, channels: int) -> str:
        """A 2x2 transposed convolution that doubles H and W."""
        shape = (self.channels[x], channels, 2, 2)
        weight = self.constant(self.normal(shape, np.sqrt(2 / self.channels[x])), "weight")
        return self.op("ConvTranspose", x, weight, channels=channels, kernel_shape=[2, 2],
                       strides=[2, 2])

    def batch_norm(self, x: str, epsilon: float = 1e-5, scale: float = 1.0, *,
                   parameters: list[np.ndarray] | None = None) -> str:
        """`parameters`: gamma, beta, mean, variance, each [C]. By default they are random values
        near (scale, 0, 0, 1)."""
        if parameters is None:
            c, r = self.channels[x], self.random
            parameters = [scale * r.uniform(0.7, 1.3, c), r.normal(0, 0.2, c),
                          r.normal(0, 0.2, c), r.uniform(0.6, 1.6, c)]
        names = [self.constant(p.astype(np.float32), "norm") for p in parameters]
        return self.op("BatchNormalization", x, *names, epsilon=epsilon)

    def clip(self, x: str, low: float, high: float) -> str:
        bounds = [self.constant(np.float32(v), "bound") for v in (low, high)]
        return self.op("Clip", x, *bounds)

    def dense(self, x: str, features: int, *, weight: np.ndarray | None = None,
              bias: np.ndarray | None = None) -> str:
        """A dense layer on x[1, C]; `weight`: [features, C], `bias`: [features]."""
        c = self.channels[x]
        if weight is None:
            weight = self.normal((features, c), np.sqrt(2 / c))
            bias = self.random.normal(0, 0.1, features)
        names = [self.constant(np.asarray(a, np.float32), "dense") for a in (weight, bias)]
        return self.op("Gemm", x, *names, channels=features, transB=1)

    def classifier(self, x: str, classes: int, **parameters) -> str:
        """Global average pool, then a dense layer."""
        x = self.op("Flatten", self.op("GlobalAveragePool", x))
        return self.dense(x, classes, **parameters)

    def model(self, output: str, shape: tuple[int | str, ...]) -> ModelProto:
        """The finished model with its one input and output "output"."""
        self.graph.node.append(helper.make_node("Identity", [output], ["output"], name="output"))
        port = helper.make_tensor_value_info
        self.graph.input.append(port(self.input_name, TensorProto.FLOAT, self.input_shape))
        self.graph.output.append(port("output", TensorProto.FLOAT, shape))
        return self.proto
