"""The table of lowerings: ONNX operator -> a function over decoded nodes. It does not import onnx.

A lowering takes the builder and the node, and returns the name of its output or a tuple of names.
"""

from collections.abc import Callable

from . import constants, linear, norm, pointwise, quantize, reduce, resize, shape, spatial
from .builder import Builder
from .call import Call

LOWERINGS: dict[str, Callable[[Builder, Call], str | tuple[str, ...]]] = {
    name: lowering
    for module in (constants, linear, norm, pointwise, quantize, reduce, resize, shape, spatial)
    for name, lowering in module.LOWERINGS.items()
}
