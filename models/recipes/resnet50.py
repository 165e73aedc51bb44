"""ResNet-50 (He et al. 2015, "Deep Residual Learning for Image Recognition") with seeded weights.

v1 strides in a block's first 1x1 convolution, as published; v1.5 strides in its 3x3, as most
frameworks do since Goyal et al. 2017.
"""

from onnx import ModelProto

from .builder import Net

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))  # blocks, bottleneck width


def build(version: str = "v1") -> ModelProto:
    """ResNet-50 as `version` "v1" or "v1.5"."""
    stride_in_3x3 = {"v1": False, "v1.5": True}[version]
    net = Net(f"resnet50_{version}", (1, 3, 224, 224), seed=50, input_name="data")
    x = _unit(net, "data", 64, 7, 2)
    x = net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for stage, (blocks, width) in enumerate(STAGES):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            first, second = (1, stride) if stride_in_3x3 else (stride, 1)
            y = _unit(net, x, width, 1, first)
            y = _unit(net, y, width, 3, second)
            y = net.batch_norm(net.conv(y, 4 * width, 1), scale=0.4)
            if block == 0:
                x = net.batch_norm(net.conv(x, 4 * width, 1, stride))
            x = net.op("Relu", net.op("Add", y, x))
    return net.model(net.classifier(x, 1000), (1, 1000))


def _unit(net: Net, x: str, channels: int, kernel: int, stride: int) -> str:
    return net.op("Relu", net.batch_norm(net.conv(x, channels, kernel, stride)))
