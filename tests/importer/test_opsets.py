"""Single nodes against onnxruntime at the opsets where their form differs."""

import numpy as np
import pytest
from onnxpress.importer.model import import_model
from onnxpress.ops import OPS, bound, check_shapes
from onnxpress.ops.interpret import interpret
from support.onnx_models import feeds, floats, ints, model, node, onnxruntime_outputs

EPSILON = float(np.finfo(np.float32).eps)
IMAGE = {"x": (1, 4, 7, 9)}

# name: (node, inputs, weights, opset). Each stands for a way in which opsets differ, or for a
# lowering whose arithmetic is easy to get wrong; ONNX's own node tests cover the newest opset.
SINGLE = {
    "conv same upper": (node("Conv", "x w", auto_pad="SAME_UPPER", strides=[2, 2]), IMAGE,
                        {"w": floats(6, 4, 3, 3)}, 11),
    "conv same lower": (node("Conv", "x w", auto_pad="SAME_LOWER", strides=[2, 2]), IMAGE,
                        {"w": floats(6, 4, 2, 2)}, 11),
    "conv in groups": (node("Conv", "x w b", group=2, dilations=[2, 1], pads=[1, 2, 0, 3]), IMAGE,
                       {"w": floats(6, 2, 3, 3), "b": floats(6)}, 11),
    "conv depthwise": (node("Conv", "x w", group=4, pads=[1, 1, 1, 1]), IMAGE,
                       {"w": floats(8, 1, 3, 3)}, 11),
    "conv 1d": (node("Conv", "x w b", strides=[2], pads=[2, 1]), {"x": (2, 3, 9)},
                {"w": floats(4, 3, 3), "b": floats(4)}, 11),
    "conv computed weights": (node("Conv", "x w"), {"x": (1, 4, 7, 9), "w": (5, 4, 3, 3)}, {}, 11),
    "convtranspose": (node("ConvTranspose", "x w b", strides=[2, 3], pads=[1, 0, 2, 1],
                           output_padding=[1, 2]), IMAGE, {"w": floats(4, 3, 3, 4), "b": floats(3)},
                      11),
    "convtranspose in groups": (node("ConvTranspose", "x w", group=2, dilations=[2, 1],
                                     strides=[2, 2]), IMAGE, {"w": floats(4, 3, 3, 3)}, 11),
    "convtranspose crops": (node("ConvTranspose", "x w", pads=[2, 2, 2, 2]), IMAGE,
                            {"w": floats(4, 2, 2, 2)}, 11),
    "convtranspose output_shape": (node("ConvTranspose", "x w", strides=[3, 2],
                                        output_shape=[20, 19]), IMAGE,
                                   {"w": floats(4, 2, 3, 3)}, 11),
    "convtranspose same": (node("ConvTranspose", "x w", strides=[2, 2], auto_pad="SAME_UPPER"),
                           IMAGE, {"w": floats(4, 2, 3, 3)}, 11),
    "convtranspose 1d": (node("ConvTranspose", "x w", strides=[2]), {"x": (1, 3, 6)},
                         {"w": floats(3, 2, 4)}, 11),
    "maxpool ceil": (node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), IMAGE,
                     {}, 12),
    "maxpool ceil of pads": (node("MaxPool", "x", kernel_shape=[2, 2], strides=[3, 3],
                                  pads=[1, 1, 1, 1], ceil_mode=1), IMAGE, {}, 12),
    "maxpool dilated": (node("MaxPool", "x", kernel_shape=[2, 3], dilations=[2, 2]), IMAGE, {}, 12),
    "maxpool 1d": (node("MaxPool", "x", kernel_shape=[3], pads=[1, 1]), {"x": (1, 2, 8)}, {}, 12),
    "averagepool pads": (node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), IMAGE,
                         {}, 11),
    "averagepool counts pads": (node("AveragePool", "x", kernel_shape=[3, 2], pads=[1, 0, 1, 1],
                                     strides=[2, 2], count_include_pad=1), IMAGE, {}, 11),
    "averagepool ceil": (node("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1,
                              pads=[1, 1, 0, 0], count_include_pad=1), IMAGE, {}, 19),
    "lppool": (node("LpPool", "x", kernel_shape=[2, 3], strides=[2, 2], p=3), IMAGE, {}, 11),
    "globallppool": (node("GlobalLpPool", "x"), IMAGE, {}, 9),
    "globalmaxpool 1d": (node("GlobalMaxPool", "x"), {"x": (2, 3, 5)}, {}, 9),
    "gemm": (node("Gemm", "x w c", alpha=0.5, beta=2.0, transB=1), {"x": (3, 4)},
             {"w": floats(5, 4), "c": floats(5)}, 9),
    "gemm transposed": (node("Gemm", "x w c", transA=1), {"x": (4, 3)},
                        {"w": floats(4, 5), "c": floats(3, 1)}, 11),
    "gemm scalar": (node("Gemm", "x w c"), {"x": (3, 4)}, {"w": floats(4, 5), "c": floats(1)}, 11),
    "gemm computed": (node("Gemm", "x w c", beta=0.5), {"x": (3, 4), "w": (4, 5), "c": (3, 5)}, {},
                      11),
    "matmul vectors": (node("MatMul", "x w"), {"x": (4,), "w": (4,)}, {}, 9),
    "matmul vector left": (node("MatMul", "x w"), {"x": (4,), "w": (2, 4, 3)}, {}, 9),
    "matmul vector right": (node("MatMul", "x w"), {"x": (2, 3, 4), "w": (4,)}, {}, 9),
    "matmul batches": (node("MatMul", "x w"), {"x": (2, 1, 3, 4), "w": (5, 4, 2)}, {}, 9),
    "einsum": (node("Einsum", "x w", equation="bhqd, bhkd -> bhqk"),
               {"x": (2, 3, 4, 5), "w": (2, 3, 6, 5)}, {}, 12),
    "einsum implicit": (node("Einsum", "x w", equation="ij,jk"), {"x": (2, 3), "w": (3, 4)}, {},
                        12),
    "einsum sums": (node("Einsum", "x w", equation="ija,kj->ki"), {"x": (2, 3, 5), "w": (4, 3)},
                    {}, 12),
    "softmax flattens": (node("Softmax", "x", axis=1), {"x": (2, 3, 4)}, {}, 9),
    "softmax flattens ones": (node("Softmax", "x"), {"x": (2, 5, 1, 1)}, {}, 11),
    "softmax": (node("Softmax", "x", axis=1), {"x": (2, 3, 4)}, {}, 13),
    "logsoftmax": (node("LogSoftmax", "x"), {"x": (2, 3, 4)}, {}, 13),
    "hardmax flattens": (node("Hardmax", "x"), {"x": (2, 3, 4)}, {}, 11),
    "clip attributes": (node("Clip", "x", min=-0.5, max=0.25), IMAGE, {}, 9),
    "clip inputs": (node("Clip", "x _ hi"), IMAGE, {"hi": np.float32(0.25)}, 11),
    "dropout": (node("Dropout", "x", ratio=0.4), IMAGE, {}, 9),
    "slice attributes": (node("Slice", "x", starts=[1, -4], ends=[9999, -1], axes=[1, 3]), IMAGE,
                         {}, 9),
    "slice backwards": (node("Slice", "x s e a t"), IMAGE,
                        {"s": ints(-1), "e": ints(-(2**63)), "a": ints(-1), "t": ints(-2)}, 10),
    "pad attributes": (node("Pad", "x", mode="edge", pads=[0, 0, 2, 1, 0, 0, 1, 3]), IMAGE, {}, 9),
    "pad reflect": (node("Pad", "x p", mode="reflect"), IMAGE,
                    {"p": ints(0, 0, 2, 1, 0, 0, 1, 3)}, 13),
    "pad negative": (node("Pad", "x p v"), IMAGE,
                     {"p": ints(0, 1, -2, 1, 0, 0, 1, -3), "v": np.float32(7)}, 13),
    "pad axes": (node("Pad", "x p _ a"), IMAGE, {"p": ints(1, 2), "a": ints(-1)}, 18),
    "pad wrap": (node("Pad", "x p", mode="wrap"), IMAGE, {"p": ints(0, 0, 2, 1, 0, 0, 1, 3)}, 19),
    "squeeze attributes": (node("Squeeze", "x", axes=[0, 2]), {"x": (1, 3, 1, 2)}, {}, 11),
    "unsqueeze attributes": (node("Unsqueeze", "x", axes=[0, -1]), {"x": (3, 2)}, {}, 11),
    "unsqueeze inputs": (node("Unsqueeze", "x a"), {"x": (3, 2)}, {"a": ints(0, -1)}, 13),
    "split attributes": (node("Split", "x", "_ y", axis=1, split=[1, 3]), IMAGE, {}, 11),
    "split evenly": (node("Split", "x", "y _", axis=3, num_outputs=2), IMAGE, {}, 18),
    "reshape copies": (node("Reshape", "x s"), IMAGE, {"s": ints(0, 2, -1, 9)}, 13),
    "flatten": (node("Flatten", "x", axis=-2), IMAGE, {}, 11),
    "tile": (node("Tile", "x r"), {"x": (2, 3)}, {"r": ints(2, 3)}, 13),
    "expand": (node("Expand", "x s"), {"x": (3, 1)}, {"s": ints(2, 1, 4)}, 13),
    "depthtospace dcr": (node("DepthToSpace", "x", blocksize=2), {"x": (1, 8, 2, 3)}, {}, 11),
    "depthtospace crd": (node("DepthToSpace", "x", blocksize=2, mode="CRD"), {"x": (1, 8, 2, 3)},
                         {}, 11),
    "spacetodepth": (node("SpaceToDepth", "x", blocksize=2), {"x": (1, 3, 4, 6)}, {}, 11),
    "gather": (node("Gather", "x i", axis=1), IMAGE, {"i": ints(3, -4, 0)}, 13),
    "gather one": (node("Gather", "x i", axis=2), IMAGE, {"i": np.array(-2, np.int64)}, 13),
    "gather steps": (node("Gather", "x i", axis=3), IMAGE, {"i": ints(8, 6, 4).reshape(3, 1)}, 13),
    "reduce attributes": (node("ReduceMean", "x", axes=[2, -1], keepdims=0), IMAGE, {}, 11),
    "reduce inputs": (node("ReduceSum", "x a"), IMAGE, {"a": ints(-1, 1)}, 13),
    "reduce everything": (node("ReduceL2", "x", keepdims=0), IMAGE, {}, 13),
    "reduce nothing": (node("ReduceSumSquare", "x _", noop_with_empty_axes=1), IMAGE, {}, 18),
    "logsumexp": (node("ReduceLogSumExp", "x", axes=[1]), IMAGE, {}, 13),
    "argmax last": (node("ArgMax", "x", axis=-1, select_last_index=1, keepdims=0), IMAGE, {}, 12),
    "batch norm": (node("BatchNormalization", "x a b c d", epsilon=0.01), IMAGE,
                   {k: floats(4) for k in "abcd"}, 9),
    "instance norm": (node("InstanceNormalization", "x a b"), IMAGE, {k: floats(4) for k in "ab"},
                      9),
    "instance norm 1d": (node("InstanceNormalization", "x a b"), {"x": (2, 3, 8)},
                         {k: floats(3) for k in "ab"}, 9),
    "instance norm 3d": (node("InstanceNormalization", "x a b"), {"x": (2, 3, 2, 4, 3)},
                         {k: floats(3) for k in "ab"}, 9),
    "layer norm": (node("LayerNormalization", "x a b", axis=-2), IMAGE,
                   {k: floats(7, 9) for k in "ab"}, 17),
    "layer norm no bias": (node("LayerNormalization", "x a"), IMAGE, {"a": floats(9)}, 17),
    "group norm of groups": (node("GroupNormalization", "x a b", num_groups=2), IMAGE,
                             {k: floats(2) for k in "ab"}, 18),
    "group norm of channels": (node("GroupNormalization", "x a b", num_groups=2), IMAGE,
                               {k: floats(4) for k in "ab"}, 21),
    "lp norm": (node("LpNormalization", "x", p=1, axis=1), IMAGE, {}, 9),
    "lrn": (node("LRN", "x", size=5, alpha=0.3, beta=0.6, bias=1.5), {"x": (1, 7, 3, 3)}, {}, 9),
    "upsample 7": (node("Upsample", "x", scales=[1.0, 1.0, 2.0, 3.0]), IMAGE, {}, 7),
    "batch norm 8": (node("BatchNormalization", "x s s s s"), IMAGE, {"s": floats(4)}, 8),
    "max of opset 7": (node("Max", "x s"), IMAGE, {"s": floats(1, 4, 7, 9)}, 7),
    "transpose 25": (node("Transpose", "x", perm=[0, 2, 3, 1]), IMAGE, {}, 25),
    "upsample": (node("Upsample", "x s"), IMAGE, {"s": np.float32([1, 1, 2, 3])}, 9),
    "upsample linear": (node("Upsample", "x s", mode="linear"), IMAGE,
                        {"s": np.float32([1, 1, 2, 3])}, 9),
    "resize 10": (node("Resize", "x s"), IMAGE, {"s": np.float32([1, 1, 0.6, 2])}, 10),
    "resize sizes": (node("Resize", "x _ _ s", mode="linear"), IMAGE, {"s": ints(1, 4, 5, 20)}, 13),
    "resize channels last": (node("Resize", "x _ s", mode="linear"), {"x": (1, 5, 6, 3)},
                             {"s": np.float32([1, 2, 2, 1])}, 13),
    "resize rank 2": (node("Resize", "x _ s", mode="linear"), {"x": (5, 6)},
                      {"s": np.float32([2, 1.5])}, 13),
    "resize one axis": (node("Resize", "x _ s", mode="nearest"), {"x": (2, 5, 6)},
                        {"s": np.float32([1, 1, 2])}, 13),
    "resize cubic": (node("Resize", "x _ s", mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1),
                     IMAGE, {"s": np.float32([1, 1, 1.7, 0.8])}, 13),
    "resize antialias": (node("Resize", "x _ _ s", mode="linear", antialias=1), IMAGE,
                         {"s": ints(1, 4, 3, 4)}, 18),
    **{f"resize {mode} {way}": (
        node("Resize", "x _ _ s", mode=mode, coordinate_transformation_mode=way), IMAGE,
        {"s": ints(1, 4, 11, 5)}, 19)
        for mode in ("nearest", "linear", "cubic")
        for way in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")},
    **{f"resize nearest {way}": (
        node("Resize", "x _ s", nearest_mode=way, coordinate_transformation_mode="asymmetric"),
        IMAGE, {"s": np.float32([1, 1, 1.5, 0.7])}, 13)
        for way in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")},
    "cumsum": (node("CumSum", "x a", exclusive=1, reverse=1), IMAGE,
               {"a": np.array(2, np.int64)}, 14),
    "trilu": (node("Trilu", "x k", upper=0), IMAGE, {"k": np.array(-1, np.int64)}, 14),
    "quantize": (node("QuantizeLinear", "x s z"), IMAGE,
                 {"s": np.float32(0.03), "z": np.uint8(128)}, 13),
    "quantize channels": (node("QuantizeLinear", "x s z", axis=1), IMAGE,
                          {"s": floats(4), "z": np.arange(4).astype(np.int8)}, 13),
}


@pytest.mark.parametrize("name", SINGLE)
def test_a_node_means_what_onnxruntime_does(name: str) -> None:
    given, inputs, weights, opset = SINGLE[name]
    outputs = [o for o in given.output if o]
    net = model([given], inputs, outputs, weights, opset)
    arrays = feeds(net)
    graph = check_shapes(import_model(net))
    ulps = sum(OPS[n.op].ulps(bound(n, graph), [graph.shape(i) for i in n.inputs])
               for n in graph.nodes)
    for output, want in onnxruntime_outputs(net, arrays).items():
        got = interpret(graph, arrays)[output]
        assert got.shape == want.shape
        room = EPSILON * (ulps + 2) * np.abs(want).max()
        np.testing.assert_allclose(got, want.astype(np.float64), 0, room)
