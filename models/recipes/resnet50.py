"""ResNet-50 (He et al. 2015, "Deep Residual Learning for Image Recognition").

v1 strides in a block's first 1x1 convolution, as published; v1.5 strides in its 3x3, as most
frameworks do since Goyal et al. 2017. Weights are seeded, or come from a state dict with the names
of torchvision and timm: conv1, bn1, layer1.0.conv1, layer1.0.downsample.0, fc.
"""

from collections.abc import Mapping

import numpy as np
from onnx import ModelProto

from .builder import Net

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))  # blocks, bottleneck width


def build(version: str = "v1", weights: Mapping[str, np.ndarray] | None = None) -> ModelProto:
    """ResNet-50 as `version` "v1" or "v1.5", with the tensors of `weights` or seeded ones."""
    stride_in_3x3 = {"v1": False, "v1.5": True}[version]
    net = Net(f"resnet50_{version}", (1, 3, 224, 224), seed=50, input_name="data")

    def unit(x: str, conv: str, norm: str, channels: int, kernel: int, stride: int = 1,
             scale: float = 1.0) -> str:
        x = net.conv(x, channels, kernel, stride, weight=weights and weights[f"{conv}.weight"])
        keys = ("weight", "bias", "running_mean", "running_var")
        parameters = weights and [weights[f"{norm}.{key}"] for key in keys]
        return net.batch_norm(x, scale=scale, parameters=parameters)

    x = net.op("Relu", unit("data", "conv1", "bn1", 64, 7, 2))
    x = net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for stage, (blocks, width) in enumerate(STAGES):
        for block in range(blocks):
            at, stride = f"layer{stage + 1}.{block}", 2 if stage and not block else 1
            first, second = (1, stride) if stride_in_3x3 else (stride, 1)
            y = net.op("Relu", unit(x, f"{at}.conv1", f"{at}.bn1", width, 1, first))
            y = net.op("Relu", unit(y, f"{at}.conv2", f"{at}.bn2", width, 3, second))
            y = unit(y, f"{at}.conv3", f"{at}.bn3", 4 * width, 1, scale=0.4)
            if block == 0:
                x = unit(x, f"{at}.downsample.0", f"{at}.downsample.1", 4 * width, 1, stride)
            x = net.op("Relu", net.op("Add", y, x))
    trained = weights and {"weight": weights["fc.weight"], "bias": weights["fc.bias"]}
    return net.model(net.classifier(x, 1000, **(trained or {})), (1, 1000))
