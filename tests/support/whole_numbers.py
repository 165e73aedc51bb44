"""Graphs whose values are whole numbers, as quantized nets have them."""

import numpy as np
from onnxpress.graph.expr import Expr, call, inp
from support.graphs import Draw


def rounded(expr: Expr, lo: int = 0, hi: int = 127) -> Expr:
    return call("min", call("max", call("round", expr), lo), hi)


class Whole(Draw):
    """Draws graphs of whole numbers."""

    def steps(self, x: str, lo: int = 0, hi: int = 127) -> str:
        return self.node("pointwise", f"{x}.steps", x, expr=rounded(inp(0) * 40.0, lo, hi))

    def whole(self, name: str, *shape: int) -> str:
        return self.constant(name, self.random.integers(-127, 128, shape))

    def product(self, op: str, name: str, x: str, *shape: int, lo: int = 0, hi: int = 127,
                plain: bool = False, residual: str = "", **attrs) -> str:
        """A convolution or matrix product of `x` and whole weights of `shape`; `plain` leaves its
        result as it is."""
        names = [x, self.whole(f"{name}.w", *shape), self.whole(f"{name}.b", shape[-1])]
        unit = self.random.uniform(0.5, 1.5, shape[-1]) / (40 * np.sqrt(np.prod(shape[:-1])))
        names.append(self.constant(f"{name}.unit", unit))
        expr = inp(0) * inp(1)
        if residual:
            names.append(residual)
            expr = expr + inp(2) * 0.5
        return self.node(op, name, *names, **attrs,
                         epilogue=expr if plain else rounded(expr, lo, hi))

    def convolution(self, name: str, x: str, kernel: tuple, o: int, strides=(1, 1), pads=None,
                    dilations=(1, 1), mode="zero", **options) -> str:
        if pads is None:
            top, left = ((k - 1) * step // 2 for k, step in zip(kernel, dilations, strict=True))
            pads = top, left, top, left
        return self.product("conv2d", name, x, *kernel, self.values[x].shape[3], o,
                            strides=strides, pads=pads, dilations=dilations, groups=1,
                            pad_mode=mode, **options)
