"""MobileNetV2 (Sandler et al. 2018, table 2) at width 1.0 with seeded weights."""

from onnx import ModelProto

from .builder import Net

# expansion, channels, repeats, stride of the first
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
          (6, 160, 3, 2), (6, 320, 1, 1))


def build() -> ModelProto:
    net = Net("mobilenet_v2", (1, 3, 224, 224), seed=2)
    x = _unit(net, "input", 32, 3, stride=2)
    for expansion, channels, repeats, first_stride in BLOCKS:
        for i in range(repeats):
            stride = first_stride if i == 0 else 1
            inner = net.channels[x] * expansion
            y = _unit(net, x, inner, 1) if expansion > 1 else x
            y = _unit(net, y, inner, 3, stride=stride, groups=inner)
            y = net.batch_norm(net.conv(y, channels, 1))
            x = net.op("Add", x, y) if stride == 1 and net.channels[x] == channels else y
    return net.model(net.classifier(_unit(net, x, 1280, 1), 1000), (1, 1000))


def _unit(net: Net, x: str, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> str:
    x = net.conv(x, channels, kernel, stride, groups=groups)
    return net.clip(net.batch_norm(x), 0, 6)
