"""EfficientNet-Lite0 with the trained ImageNet weights of a PyTorch checkpoint.

Architecture: EfficientNet (Tan and Le 2019) without squeeze-and-excite, ReLU6 for swish; TensorFlow
"SAME" padding (asymmetric at stride 2), BatchNorm epsilon 1e-3.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import ModelProto

from .builder import Net
from .legacy_torch import load

SIZE = 224
EPSILON = 1e-3
# repeats, kernel, stride of the first, expansion, channels
BLOCKS = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
          (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))


def build(weights: Path | Mapping[str, np.ndarray]) -> ModelProto:
    """The network with trained tensors; `weights` is a PyTorch checkpoint or its state dict."""
    tensors = weights if isinstance(weights, Mapping) else load(weights)
    net = Net("efficientnet_lite0", (1, 3, SIZE, SIZE))
    size = SIZE

    def unit(x: str, conv: str, norm: str, stride: int = 1, relu6: bool = True) -> str:
        nonlocal size
        weight = tensors[f"{conv}.weight"]
        kernel, groups = weight.shape[2], 1 if weight.shape[1] > 1 else weight.shape[0]
        x = net.conv(x, weight.shape[0], kernel, stride, groups=groups, weight=weight,
                     pads=_same(size, kernel, stride))
        size = -(-size // stride)
        keys = ("weight", "bias", "running_mean", "running_var")
        x = net.batch_norm(x, EPSILON, parameters=[tensors[f"{norm}.{k}"] for k in keys])
        return net.clip(x, 0, 6) if relu6 else x

    x = unit("input", "_conv_stem", "_bn0", 2)
    index = 0
    for repeats, _kernel, first_stride, expansion, channels in BLOCKS:
        for i in range(repeats):
            name, stride = f"_blocks.{index}", first_stride if i == 0 else 1
            y = unit(x, f"{name}._expand_conv", f"{name}._bn0") if expansion > 1 else x
            y = unit(y, f"{name}._depthwise_conv", f"{name}._bn1", stride)
            y = unit(y, f"{name}._project_conv", f"{name}._bn2", relu6=False)
            x = net.op("Add", y, x) if stride == 1 and net.channels[x] == channels else y
            index += 1
    x = unit(x, "_conv_head", "_bn1")
    x = net.classifier(x, 1000, weight=tensors["_fc.weight"], bias=tensors["_fc.bias"])
    return net.model(x, (1, 1000))


def _same(size: int, kernel: int, stride: int) -> tuple[int, int, int, int]:
    """Pads (top, left, bottom, right) of TensorFlow's SAME: the output has ceil(size / stride)
    rows, and an odd pad goes below and right."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return (total // 2, total // 2, total - total // 2, total - total // 2)
