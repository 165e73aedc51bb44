"""The graph under construction: emits operators, infers their shapes, folds constants at once.

If all operands of an operator are constants, its reference computes the result, and no node is
emitted. So shape arithmetic and weight layouts need no code of their own. Constants keep the
model's type until `finish`, which turns the remaining ones into f32.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..graph.expr import Expr, const, inp
from ..graph.graph import Attrs, Graph, Node, Shape, Value
from ..ops import OPS
from ..ops.attrs import Quant, Shaped
from ..ops.move import Expand, Reshape, Slice, Transpose
from ..ops.pointwise import Pointwise, quant_of
from ..ops.reduce import Reduce
from .call import GROWTH, Call

NUMPY = {"f32": np.float32, "f16": np.float16, "f64": np.float64, "bool": np.bool_, "i8": np.int8,
         "u8": np.uint8, "i16": np.int16, "u16": np.uint16, "i32": np.int32, "u32": np.uint32,
         "i64": np.int64, "u64": np.uint64}
NAMES = {np.dtype(v): k for k, v in NUMPY.items()}
EXACT = 2**24  # integers up to here are exact in f32
TOTAL = 2**29  # elements of all folded constants together; no model file holds more
LARGEST = 2**30  # elements of one value at run time: 4 GiB, which is all that wasm addresses


class Builder:
    """Nodes in order, and the facts of every name. `reserved`: names kept for the model's own
    values."""

    def __init__(self, reserved: set[str]) -> None:
        self.values: dict[str, Value] = {}
        self.arrays: dict[str, np.ndarray] = {}
        self.nodes: dict[str, Node] = {}  # by each of their outputs
        self.made: dict[str, Node | None] = {}  # since `begin`; None for a constant
        self.published: dict[str, str] = {}  # old name -> the output that took its place
        self.reserved = reserved
        self.stem = self.where = "model"
        self.folded = 0

    def begin(self, call: Call) -> None:
        """From here on, names and errors refer to `call`."""
        self.where, self.made = call.where, {}
        self.stem = next((n for n in call.outputs if n), call.op)

    def refused(self, sentence: str) -> UnsupportedError:
        """The error that the current node cannot be compiled, for the reason in `sentence`."""
        return UnsupportedError(f"{self.where}: {sentence}")

    def shape(self, name: str) -> tuple[int, ...]:
        """The length of each axis of a value."""
        return self.values[name].shape

    def rank(self, name: str) -> int:
        """How many axes a value has."""
        return len(self.values[name].shape)

    def dtype(self, name: str) -> str:
        """The ONNX type of a value, as in `graph.DTYPES`."""
        return self.values[name].dtype

    def array(self, name: str | None) -> np.ndarray | None:
        """The constant's elements in the model's own type; None for a value of run time."""
        return None if name is None else self.arrays.get(name)

    def known(self, call: Call, index: int, what: str) -> np.ndarray | None:
        """The elements of an optional input, which must be constant."""
        name = call.optional(index)
        if name is None:
            return None
        if name not in self.arrays:
            raise call.refused(f"its {what} is computed at run time; it must be a constant")
        return self.arrays[name]

    def known_ints(self, call: Call, index: int, what: str) -> list[int] | None:
        """The elements of an optional input, which must be constant integers."""
        array = self.known(call, index, what)
        if array is None:
            return None
        if array.dtype.kind not in "iub":
            raise call.bad(f"its {what} must be integers")
        return [int(v) for v in array.reshape(-1)]

    def fresh(self, suffix: str) -> str:
        """An unused name that starts with the current stem."""
        name, count = f"{self.stem}.{suffix}", 0
        while name in self.values or name in self.reserved:
            count += 1
            name = f"{self.stem}.{suffix}.{count}"
        return name

    def bind(self, name: str, wanted: str, inner: bool) -> str:
        """The name for the model's value `wanted`.

        It is `wanted` itself if `name` was just made and no node reads it yet. Names inside a
        branch (`inner`) may be taken.
        """
        taken = wanted in self.values or (inner and wanted in self.reserved)
        if taken or name not in self.made or any(name in n.inputs for n in self.made.values() if n):
            return name
        self.values[wanted] = self.values.pop(name)
        self.made[wanted] = None
        if name in self.arrays:
            self.arrays[wanted] = self.arrays.pop(name)
        elif len(self.nodes[name].outputs) > 1:
            self._rename({name: wanted})
        else:
            # The node is now last in the order. A node that no other node reads may stand there.
            self.nodes[wanted] = replace(self.nodes.pop(name), outputs=(wanted,))
        return wanted

    def publish(self, name: str, wanted: str, kept: Sequence[str]) -> None:
        """Makes the value `name` known as the output `wanted`. Names in `kept` stay."""
        name = self.published.get(name, name)
        if name == wanted:
            return
        if name in self.arrays:
            self.constant(self.arrays[name], wanted)
        elif name in kept:
            self.values[wanted] = self.values[name]
            self.nodes[wanted] = Node(Reshape(), (name,), (wanted,))
        else:
            self.values[wanted] = self.values.pop(name)
            self._rename({name: wanted})
            self.published[name] = wanted

    def _rename(self, names: Mapping[str, str]) -> None:
        """Old name -> new name, in all nodes; their order stays."""
        nodes = [replace(n, inputs=tuple(names.get(i, i) for i in n.inputs),
                         outputs=tuple(names.get(o, o) for o in n.outputs)) for n in self._order()]
        self.nodes = {out: n for n in nodes for out in n.outputs}

    def _order(self) -> tuple[Node, ...]:
        """The nodes, once each."""
        return tuple({n.name: n for n in self.nodes.values()}.values())

    def input(self, name: str, value: Value) -> str:
        """Adds an input of the model."""
        self.values[name] = value
        return name

    def constant(self, array: Any, name: str | None = None) -> str:
        """Adds a constant in the type of `array`; without a `name` it gets an unused one."""
        array = np.asarray(array)
        name = self.fresh("const") if name is None else name
        self.values[name] = Value(tuple(array.shape), NAMES[array.dtype])
        self.arrays[name] = array
        self.made[name] = None
        return name

    def emit(self, attrs: Attrs, inputs: Sequence[str], dtype: str | None = None,
             keep: bool = False) -> str:
        """The name of the operator's only output. `dtype`: by default the first input's.

        `keep`: emits the operator even if it could be folded.
        """
        (name,) = self.emit_all(attrs, inputs, [dtype or self.dtype(inputs[0])], keep)
        return name

    def emit_all(self, attrs: Attrs, inputs: Sequence[str], dtypes: Sequence[str],
                 keep: bool = False) -> tuple[str, ...]:
        """The names of the operator's outputs, which have these types."""
        _, *others = OPS[attrs.op].outputs
        names = (self.fresh(attrs.op), *(self.fresh(f"{attrs.op}.{out}") for out in others))
        node = Node(attrs, tuple(inputs), names)
        shapes = OPS[attrs.op].infer(node, [self.shape(n) for n in inputs])
        if not keep and all(n in self.arrays for n in inputs):
            return self._fold(node, shapes, dtypes)
        if not any(map(prod, shapes)):
            # A value without elements is known already.
            return tuple(self.constant(np.zeros(shape, NUMPY[dtype]), name)
                         for name, shape, dtype in zip(names, shapes, dtypes, strict=True))
        for shape in shapes:
            if prod(shape) > LARGEST:
                raise self.refused(f"its result {shape} has {prod(shape)} elements, more than a "
                                   f"page can address ({LARGEST}); give the model smaller inputs")
        if isinstance(attrs, Shaped):
            node = node.with_attrs(shape=None)
        for name, shape, dtype in zip(names, shapes, dtypes, strict=True):
            self.nodes[name] = self.made[name] = node
            self.values[name] = Value(shape, dtype)
        return names

    def _fold(self, node: Node, shapes: Sequence[Shape], dtypes: Sequence[str]) -> tuple[str, ...]:
        size = sum(map(prod, shapes))
        self.folded += size
        if size - sum(self.arrays[n].size for n in node.inputs) > GROWTH or self.folded > TOTAL:
            raise self.refused(f"it makes a constant of {size} elements; a page cannot hold "
                               f"more than {GROWTH} beyond what the model file holds")
        arrays = OPS[node.op].reference(node, [self.arrays[n] for n in node.inputs])
        return tuple(self.constant(convert(np.asarray(array), dtype), name)
                     for name, array, dtype in zip(node.outputs, arrays, dtypes, strict=True))

    def number(self, array: np.ndarray) -> float:
        """The only element of `array`, for an expression."""
        value = array.reshape(-1)[0]
        if array.dtype.kind in "iu":
            info = np.iinfo(array.dtype)
            if abs(int(value)) > EXACT and int(value) not in (info.min, info.max):
                raise self.refused(f"the integer {value} is not exact in f32, in which every value "
                                   f"is computed; integers must stay within {EXACT}")
        return float(value)

    def pointwise(self, build: Callable[..., Expr], *operands: str | None,
                  result: str | None = None, **keywords: Any) -> str:
        """build(expressions of the operands, **keywords), applied to every element.

        One-element constants become numbers in the expression. An operand None stays None. The
        result has the type `result`, or else the first operand's.
        """
        present = [n for n in operands if n is not None]
        shape = tuple(np.broadcast_shapes(*(self.shape(n) for n in present)))
        constant = all(n in self.arrays for n in present)
        names: list[str] = []
        args: list[Expr | None] = []
        for name in operands:
            array = self.array(name)
            if name is None:
                args.append(None)
            elif array is not None and array.size == 1 and not constant:
                args.append(const(self.number(array)))
            else:
                args.append(inp(len(names)))
                names.append(name)
        out = self.emit(Pointwise(expr=build(*args, **keywords)), names,
                        result or self.dtype(present[0]))
        return self.reshape(out, shape)

    def transpose(self, x: str, perm: Sequence[int]) -> str:
        """x with axis perm[i] as axis i, as in numpy."""
        if tuple(perm) == tuple(range(len(perm))) and len(perm) == self.rank(x):
            return x
        node = self.nodes.get(x)
        quant = quant_of(node) if node is not None else None
        if node is not None and quant is not None and node.inputs[0] in self.arrays:
            return self._transpose_weights(node, quant, perm)
        return self.emit(Transpose(perm=tuple(perm)), [x])

    def _transpose_weights(self, node: Node, quant: Quant, perm: Sequence[int]) -> str:
        """A dequantized constant in another layout. Its integers move, so they stay integers."""
        moved = [self.transpose(n, perm) if self.rank(n) else n for n in node.inputs]
        names = dict(zip(node.inputs, moved, strict=True))
        quant = replace(quant, scale=names[quant.scale], zero=names.get(quant.zero or ""),
                        axis=None if quant.axis is None else tuple(perm).index(quant.axis))
        attrs = replace(Pointwise.of(node), quant=quant)
        return self.emit(attrs, moved, self.dtype(node.name), keep=True)

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """x in another shape of as many elements."""
        shape = tuple(int(n) for n in shape)
        return x if shape == self.shape(x) else self.emit(Reshape(shape=shape), [x])

    def slice(self, x: str, starts: Sequence[int], sizes: Sequence[int],
              steps: Sequence[int] | None = None) -> str:
        """Along each axis: `sizes` cells of x from `starts` on, `steps` cells apart (or 1)."""
        steps = (1,) * len(starts) if steps is None else tuple(steps)
        if tuple(sizes) == self.shape(x) and set(steps) <= {1}:
            return x
        return self.emit(Slice(starts=tuple(starts), steps=steps, shape=tuple(sizes)), [x])

    def expand(self, x: str, shape: Sequence[int]) -> str:
        """x broadcast to `shape`."""
        shape = tuple(shape)
        return x if shape == self.shape(x) else self.emit(Expand(shape=shape), [x])

    def reduce(self, x: str, kind: str, axes: Sequence[int]) -> str:
        """x reduced over `axes`, which keep length 1. `kind`: sum, mean, max, min or prod."""
        return self.emit(Reduce(kind=kind, axes=tuple(sorted(axes))), [x]) if axes else x

    def zeros(self, count: int) -> str:
        """A constant f32[count] of zeros."""
        return self.constant(np.zeros(count, np.float32))

    def finish(self, inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
        """The graph of all nodes that the outputs need. Its constants are f32.

        Raises:
            UnsupportedError: an integer constant does not fit an f32 exactly, or a needed value has
                no elements.
        """
        graph = Graph(tuple(inputs), tuple(outputs), self._order(), self.values,
                      self.arrays)
        graph = graph.rebuild(graph.nodes)
        empty = next((n for n, v in graph.values.items() if prod(v.shape) == 0), None)
        if empty is not None:
            raise UnsupportedError(f'"{empty}" has the shape {graph.shape(empty)}, which holds no '
                                   "elements; give the model larger inputs")
        # A dequantized integer is rounded like any product. Other integers must be exact.
        loose = {n for node in graph.nodes if quant_of(node) for n in node.inputs}
        constants = {
            name: _as_f32(name, array, name in loose) for name, array in graph.constants.items()
        }
        return graph.rebuild(graph.nodes, constants=constants)


def convert(array: np.ndarray, dtype: str) -> np.ndarray:
    """The array as `dtype`; integers saturate at the ends of their type."""
    target = np.dtype(NUMPY[dtype])
    if array.dtype == target:
        return array
    if target.kind not in "iu":
        with np.errstate(over="ignore", invalid="ignore"):
            return array.astype(target)
    if array.dtype.kind != "f":
        return array.astype(target)
    info = np.iinfo(target)
    out = np.nan_to_num(array, nan=0.0, posinf=info.max, neginf=info.min)
    low, high = out <= float(info.min), out >= float(info.max)
    out = np.where(low | high, 0, out).astype(target)
    return np.where(low, info.min, np.where(high, info.max, out)).astype(target)


def _as_f32(name: str, array: np.ndarray, loose: bool) -> np.ndarray:
    if array.dtype.kind in "iu" and array.size and not loose:
        worst = max(int(array.max()), -int(array.min()))
        if worst > EXACT:
            raise UnsupportedError(f'constant "{name}" holds the integer {worst}, which is not '
                                   f"exact in f32; integers must stay within {EXACT}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, np.float32).reshape(array.shape)
