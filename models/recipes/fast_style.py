"""The image transformation network of Johnson et al. 2016 ("Perceptual Losses"), seeded weights.

Instance normalization, reflection padding and nearest upsampling, as its later trainings use
(Ulyanov et al. 2016; Odena et al. 2016). Input and output: RGB in 0..255.
"""

import numpy as np
from onnx import ModelProto

from .builder import Net

SIZE = 256


def build() -> ModelProto:
    net = Net("fast_style", (1, 3, SIZE, SIZE), seed=2016)
    x = _unit(net, "input", 32, 9)
    x = _unit(net, x, 64, 3, stride=2)
    x = _unit(net, x, 128, 3, stride=2)
    for _ in range(5):
        y = _unit(net, x, 128, 3)
        x = net.op("Add", _unit(net, y, 128, 3, relu=False), x)
    for channels in (64, 32):
        x = _unit(net, _upsample(net, x), channels, 3)
    x = _conv(net, x, 3, 9)
    x = net.op("Tanh", x)
    half = net.constant(np.float32(127.5))
    x = net.op("Add", net.op("Mul", x, half), half)
    return net.model(x, (1, 3, SIZE, SIZE))


def _conv(net: Net, x: str, channels: int, kernel: int, stride: int = 1) -> str:
    p = kernel // 2
    pads = net.constant(np.array([0, 0, p, p, 0, 0, p, p], np.int64))
    x = net.op("Pad", x, pads, mode="reflect")
    bias = net.random.normal(0, 0.05, channels)
    return net.conv(x, channels, kernel, stride, pads=(0, 0, 0, 0), bias=bias)


def _unit(net: Net, x: str, channels: int, kernel: int, stride: int = 1, relu=True) -> str:
    x = _conv(net, x, channels, kernel, stride)
    scale = net.random.uniform(0.7, 1.3, channels).astype(np.float32)
    shift = net.random.normal(0, 0.2, channels).astype(np.float32)
    x = net.op("InstanceNormalization", x, net.constant(scale), net.constant(shift))
    return net.op("Relu", x) if relu else x


def _upsample(net: Net, x: str) -> str:
    scales = net.constant(np.array([1, 1, 2, 2], np.float32))
    return net.op("Resize", x, "", scales, mode="nearest", nearest_mode="floor",
                  coordinate_transformation_mode="asymmetric")
