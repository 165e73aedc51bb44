"""A small U-Net with seeded weights, for batches of N one-channel frames; N is free.

Architecture: Ronneberger et al. 2015 ("U-Net"), with convolutions that keep the size, batch
normalization, and a quarter of the channels.
"""

from onnx import ModelProto

from .builder import Net

SIZE = 64
CHANNELS = (16, 32, 64, 128)


def build(size: int = SIZE, classes: int = 2) -> ModelProto:
    """Logits [N, classes, size, size] of frames [N, 1, size, size]; `size`: a multiple of 8."""
    net = Net("unet", ("N", 1, size, size), seed=2015)
    x, skipped = "input", []
    for channels in CHANNELS[:-1]:
        x = _pair(net, x, channels)
        skipped.append(x)
        x = net.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = _pair(net, x, CHANNELS[-1])
    for channels in reversed(CHANNELS[:-1]):
        x = net.deconv(x, channels)
        x = net.op("Concat", skipped.pop(), x, axis=1, channels=2 * channels)
        x = _pair(net, x, channels)
    x = net.conv(x, classes, 1)
    return net.model(x, ("N", classes, size, size))


def _pair(net: Net, x: str, channels: int) -> str:
    for _ in range(2):
        x = net.op("Relu", net.batch_norm(net.conv(x, channels, 3)))
    return x
