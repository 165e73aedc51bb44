"""One small graph for each way in which WebAssembly runs products and convolutions."""

from dataclasses import replace

from onnxpress.graph.expr import inp
from onnxpress.graph.graph import Graph, Node
from support.graphs import Draw

POOL = {"kernel": (3, 2), "strides": (2, 1), "pads": (1, 1, 1, 0), "dilations": (1, 1),
        "count_include_pad": False, "size": (4, 6)}


def convolution(x: tuple, kernel: int, o: int, **options) -> Graph:
    d = Draw()
    mode = options.pop("mode", "zero")
    d.conv("y", d.input("x", *x), kernel, o, **options)
    d.nodes = [n.with_attrs(pad_mode=mode) for n in d.nodes]
    return d.graph("y")


def finished(x: tuple, kernel: int, o: int, **options) -> Graph:
    """A convolution, scaled by channel, plus a residual."""
    d = Draw()
    d.conv("y", d.input("x", *x), kernel, o, **options)
    (node,) = d.nodes
    extras = d.weights("scale", o), d.input("r", *d.values["y"].shape)
    attrs = replace(node.attrs, epilogue=inp(0) * inp(1) + inp(2))
    d.nodes = [Node(attrs, (*node.inputs, *extras), ("y",))]
    return d.graph("y")


def product(a: tuple, b: tuple, constant: bool = False) -> Graph:
    d = Draw()
    right = d.weights("b", *b) if constant else d.input("b", *b)
    d.node("matmul", "y", d.input("a", *a), right, d.weights("bias", b[-1]))
    return d.graph("y")


def computed() -> Graph:
    d = Draw()
    d.node("conv2d", "y", d.input("x", 1, 7, 5, 6), d.input("w", 3, 3, 6, 10), d.weights("b", 10),
           strides=(1, 1), pads=(1,) * 4, dilations=(1, 1), groups=1, pad_mode="edge")
    return d.graph("y")


def joined() -> Graph:
    """Two convolutions beside each other, read with a halo."""
    d = Draw()
    x = d.input("x", 1, 13, 11, 12)
    whole = d.node("concat", "joined", d.conv("a", x, 1, 20), d.conv("b", x, 3, 24, pad=1), axis=3)
    return d.graph(d.conv("y", whole, 3, 9, pad=1))


GRAPHS = {
    "pixels": lambda: convolution((1, 23, 11, 5), 1, 13),
    "windows": lambda: convolution((2, 13, 9, 3), 3, 17, stride=2, pad=1, mode="reflect"),
    "channels": lambda: convolution((1, 5, 3, 700), 1, 133),
    "groups": lambda: convolution((1, 5, 7, 72), 3, 72, pad=1, groups=18),
    "odd groups": lambda: convolution((1, 5, 7, 9), 3, 6, pad=1, groups=3),
    "computed weights": computed,
    "depthwise": lambda: convolution((2, 7, 5, 13), 3, 13, pad=1, groups=13),
    "few outputs": lambda: convolution((1, 11, 9, 8), 5, 3, pad=2),
    "winograd, channels": lambda: convolution((2, 13, 11, 24), 3, 72, pad=1),
    "winograd, finished": lambda: finished((1, 13, 11, 24), 3, 48, pad=1),
    "channels, finished": lambda: finished((1, 5, 3, 300), 1, 72),
    "vector, finished": lambda: finished((1, 1, 1, 37), 1, 101),
    "winograd, few rows": lambda: convolution((2, 13, 11, 24), 3, 20, pad=1, mode="edge"),
    "winograd, many rows": lambda: convolution((1, 37, 45, 12), 3, 28, pad=1),
    "winograd, wide": lambda: convolution((1, 34, 270, 8), 3, 8, pad=1),
    "vector": lambda: convolution((3, 1, 1, 37), 1, 101),
    "rows": lambda: product((3, 29, 7), (7, 13), constant=True),
    "spare lanes": lambda: product((3, 21, 9), (3, 9, 13)),
    "spare lanes alone": lambda: product((3, 21, 9), (3, 9, 3)),
    "vectors": lambda: product((5, 1, 9), (5, 9, 13)),
    "joined": joined,
}
