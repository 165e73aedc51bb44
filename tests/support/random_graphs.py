"""Random graphs of moving and computing operators, for properties that hold for any graph."""

from itertools import permutations
from math import prod

import numpy as np
from onnxpress.graph.expr import call, inp
from onnxpress.graph.graph import Graph
from support.graphs import Draw

UNARY = (call("max", inp(0), 0), -inp(0), inp(0) * 2 + 1, 1 / (1 + call("exp", -inp(0))))
BINARY = (inp(0) + inp(1), inp(0) * inp(1), call("max", inp(0), inp(1)))


class Scribble:
    """Draws operators at random on values of at most `largest` elements."""

    def __init__(self, seed: int, largest: int = 4096) -> None:
        self.d, self.largest = Draw(seed), largest
        self.pick = self.d.random
        self.live = [self.d.input("x", 2, 3, 4, 6), self.d.input("y", 2, 1, 4, 6)]
        self.count = 0

    def graph(self, size: int) -> Graph:
        steps = (self.transpose, self.transpose, self.reshape, self.unary, self.binary, self.reduce,
                 self.softmax, self.pad, self.slice, self.concat, self.constant, self.convolve,
                 self.multiply, self.normalize)
        for _ in range(size):
            name = self.any(self.live)
            made = self.any(steps)(name)
            if made and prod(self.shape(made)) <= self.largest:
                self.live.append(made)
        return self.d.graph(*dict.fromkeys([self.live[-1], self.any(self.live[2:] or self.live)]))

    def any(self, items):
        return items[self.pick.integers(len(items))]

    def shape(self, name: str) -> tuple[int, ...]:
        return self.d.values[name].shape

    def add(self, op: str, *inputs: str, **attrs) -> str:
        self.count += 1
        return self.d.node(op, f"{op}{self.count}", *inputs, **attrs)

    def axis(self, x: str) -> int:
        return int(self.pick.integers(len(self.shape(x))))

    def weights(self, *shape: int) -> str:
        self.count += 1
        return self.d.weights(f"w{self.count}", *shape)

    # --- operators; None where one does not fit ---

    def transpose(self, x: str) -> str:
        perms = list(permutations(range(len(self.shape(x)))))
        return self.add("transpose", x, perm=self.any(perms))

    def reshape(self, x: str) -> str:
        """Splits an axis, merges two neighbours, or moves an axis of length 1."""
        shape = list(self.shape(x))
        i = self.axis(x)
        if self.pick.random() < 0.5 and len(shape) < 6:
            factor = self.any([f for f in range(1, shape[i] + 1) if shape[i] % f == 0])
            shape[i : i + 1] = [factor, shape[i] // factor]
        elif len(shape) > 1 and i:
            shape[i - 1 : i + 1] = [shape[i - 1] * shape[i]]
        return self.add("reshape", x, shape=tuple(shape))

    def unary(self, x: str) -> str:
        return self.add("pointwise", x, expr=self.any(UNARY))

    def binary(self, x: str) -> str | None:
        def fits(other: str) -> bool:
            pairs = zip(self.shape(x)[::-1], self.shape(other)[::-1], strict=False)
            return all(a == b or 1 in (a, b) for a, b in pairs)

        return self.add("pointwise", x, self.any(list(filter(fits, self.live))),
                        expr=self.any(BINARY))

    def constant(self, x: str) -> str:
        shape = [n if self.pick.random() < 0.5 else 1 for n in self.shape(x)]
        return self.add("pointwise", x, self.weights(*shape[self.axis(x):]), expr=self.any(BINARY))

    def reduce(self, x: str) -> str:
        return self.add("reduce", x, kind=self.any(("mean", "max")), axes=(self.axis(x),))

    def softmax(self, x: str) -> str:
        return self.add("softmax", x, axis=self.axis(x), log=False)

    def pad(self, x: str) -> str:
        before = tuple(int(self.pick.integers(min(n, 3))) for n in self.shape(x))
        after = tuple(int(self.pick.integers(min(n, 3))) for n in self.shape(x))
        mode = self.any(("constant", "edge", "reflect"))
        return self.add("pad", x, before=before, after=after, mode=mode, value=0.5)

    def slice(self, x: str) -> str:
        starts = tuple(int(self.pick.integers(n)) for n in self.shape(x))
        shape = tuple(n - a for n, a in zip(self.shape(x), starts, strict=True))
        return self.add("slice", x, starts=starts, steps=(1,) * len(shape), shape=shape)

    def concat(self, x: str) -> str:
        same = [n for n in self.live if self.shape(n) == self.shape(x)]
        return self.add("concat", x, self.any(same), axis=self.axis(x))

    def convolve(self, x: str) -> str | None:
        if len(self.shape(x)) != 4:
            return None
        self.count += 1
        return self.d.nchw_conv(f"conv{self.count}", x, 1, 4)

    def multiply(self, x: str) -> str | None:
        if len(self.shape(x)) < 2:
            return None
        return self.add("matmul", x, self.weights(self.shape(x)[-1], 5), self.weights(5))

    def normalize(self, x: str) -> str | None:
        if len(self.shape(x)) < 2:
            return None
        n = self.shape(x)[-1]
        return self.add("normalize", x, self.weights(n), self.weights(n),
                        axes=(len(self.shape(x)) - 1,), eps=0.1)


def random_graph(seed: int, size: int = 24) -> Graph:
    graph = Scribble(seed).graph(size)
    assert all(np.isfinite(c).all() for c in graph.constants.values())
    return graph
