"""VGG-16 (Simonyan and Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", configuration D) with seeded weights: 138 million weights, 553 MB."""

from onnx import ModelProto

from .builder import Net

STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions, channels
HIDDEN = 4096


def build() -> ModelProto:
    """VGG-16 for pictures of 224 x 224; its dropout does nothing outside training."""
    net = Net("vgg16", (1, 3, 224, 224), seed=16, input_name="data")
    x = "data"
    for count, channels in STAGES:
        for _ in range(count):
            bias = net.random.normal(0, 0.1, channels)
            x = net.op("Relu", net.conv(x, channels, 3, bias=bias))
        x = net.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    side = 224 >> len(STAGES)
    x = net.op("Flatten", x, channels=STAGES[-1][1] * side * side)
    for _ in range(2):
        x = net.op("Relu", net.dense(x, HIDDEN))
    return net.model(net.dense(x, 1000), (1, 1000))
