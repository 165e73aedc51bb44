"""Random ONNX models of one to five nodes with awkward shapes, and what they compute.

Every node is run on its own by onnxruntime (by ONNX's reference where onnxruntime cannot) when it
is drawn. So the sketch knows the shape, type and values of everything; nodes that fail, or whose
results are large, are drawn anew. Operators that jump (comparisons, roundings, the place of a
maximum) only read values that every arithmetic computes alike.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSET = 23
LENGTHS = (1, 1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 11)
MOST = 900  # elements of a value
LARGEST = 1e4
STEP = 1 / 8  # inputs are whole multiples, so that short sums and products are exact in f32
FLOAT = ("f",)
OWN = "own"
SESSION = onnxruntime.SessionOptions()
SESSION.log_severity_level = 4
SESSION.intra_op_num_threads = SESSION.inter_op_num_threads = 1

Arrays = Mapping[str, np.ndarray]
Recipe = Callable[["Sketch"], bool]


class Sketch:
    """A model being drawn. `values` holds every value that a node may read, `inputs` and
    `weights` the arrays of inputs and initializers; `exact` names the values that are equal in any
    arithmetic, and `constant` the results that depend on no input."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.functions: list[onnx.FunctionProto] = []
        self.values: dict[str, np.ndarray] = {}
        self.inputs: dict[str, np.ndarray] = {}
        self.weights: dict[str, np.ndarray] = {}
        self.exact: set[str] = set()
        self.constant: set[str] = set()

    # --- draws ---

    def one(self, items: Sequence[Any]) -> Any:
        return items[int(self.random.integers(len(items)))]

    def chance(self, share: float = 0.5) -> bool:
        return bool(self.random.random() < share)

    def integer(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return int(self.random.integers(low, high + 1))

    def shape(self, low: int = 0, high: int = 6) -> tuple[int, ...]:
        while True:
            shape = tuple(self.one(LENGTHS) for _ in range(self.integer(low, high)))
            if prod(shape) <= MOST:
                return shape

    def array(self, shape: Sequence[int], kind: str) -> np.ndarray:
        """Whole multiples of STEP in -4..4, small integers, or booleans."""
        if kind == "b":
            return self.random.integers(0, 2, shape).astype(np.bool_)
        if kind == "f":
            return (self.random.integers(-32, 33, shape) * STEP).astype(np.float32)
        dtype = np.dtype(self.one(("int32", "int64", "int8", "uint8"))
                         if kind == "i" else self.one(("uint8", "uint32")))
        low = 0 if dtype.kind == "u" else -9
        return self.random.integers(low, 12, shape).astype(dtype)

    def input(self, array: np.ndarray) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs[name] = self.values[name] = array
        self.exact.add(name)
        return name

    def weight(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = self.values[name] = np.asarray(array, dtype)
        self.exact.add(name)
        return name

    def ints(self, values: Sequence[int]) -> str:
        return self.weight(values, np.int64)

    def pick(self, kinds: Sequence[str] = FLOAT, ranks: tuple[int, int] = (0, 6),
             exact: bool = False) -> str:
        """A value that depends on an input, preferably one that exists."""
        fit = [n for n, v in self.values.items()
               if n not in {*self.weights, *self.constant} and v.dtype.kind in kinds
               and ranks[0] <= v.ndim <= ranks[1] and (not exact or n in self.exact)]
        if fit and self.chance(0.9):
            return fit[-1] if self.chance() else self.one(fit[-3:])
        return self.input(self.array(self.shape(*ranks), self.one(kinds)))

    def partner(self, x: str, constant: float = 0.5) -> str:
        """A value of the type of `x` that broadcasts with it, in either direction."""
        mine = self.values[x]
        shape = [1 if self.chance(0.35) else n for n in mine.shape]
        shape = shape[self.integer(0, len(shape)):] if self.chance() else shape
        if self.chance(0.25):
            shape = [self.one(LENGTHS) if n == 1 and self.chance() else n for n in shape]
            shape = [*([self.one((1, 2, 3))] * self.chance(0.3)), *shape]
        array = self.array(shape, mine.dtype.kind).astype(mine.dtype)
        neutral = self.random.random()
        array = np.ones_like(array) if neutral < 0.1 else (
            np.zeros_like(array) if neutral < 0.2 else array)
        same = [n for n, v in self.values.items() if (v.shape, v.dtype) == (mine.shape, mine.dtype)]
        if self.chance(0.2):
            return self.one(same)
        return self.weight(array, array.dtype) if self.chance(constant) else self.input(array)

    # --- nodes ---

    def add(self, op: str, inputs: Sequence[str], outputs: int = 1, exact: bool = False,
            domain: str = "", **attrs: Any) -> bool:
        """Adds a node if it can be run and its results are small. `exact`: it makes exact results
        of exact operands, as long as they are multiples of a power of two."""
        names = [f"v{len(self.values)}_{i}" for i in range(outputs)]
        node = helper.make_node(op, inputs, names, domain=domain, **attrs)
        found = evaluate(self._model([node], [n for n in inputs if n], names), self.values)
        if found is None or not all(map(_sound, found)):
            return False
        self.nodes.append(node)
        for name, array in zip(names, found, strict=True):
            self.values[name] = array
            if exact and all(n in self.exact for n in inputs if n) and _short(array):
                self.exact.add(name)
        return True

    def _model(self, nodes: Sequence[onnx.NodeProto], inputs: Sequence[str],
               outputs: Sequence[str]) -> ModelProto:
        held = [n for n in dict.fromkeys(inputs) if n in self.weights]
        free = [n for n in dict.fromkeys(inputs) if n not in self.weights]
        graph = helper.make_graph(
            list(nodes), "sketch", [_info(n, self.values[n]) for n in free],
            [_info(n, self.values[n]) if n in self.values else onnx.ValueInfoProto(name=n)
             for n in outputs],
            [numpy_helper.from_array(self.weights[n], n) for n in held])
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(OWN, 1)],
            ir_version=11, functions=self.functions)

    def model(self) -> tuple[ModelProto, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """(the model, its inputs, what its outputs must be)"""
        made = [o for n in self.nodes for o in n.output]
        read = {i for n in self.nodes for i in n.input}
        outputs = [n for n in made if n not in read or self.chance(0.1)]
        outputs = [n for n in outputs if n not in self.constant]
        used = [n for n in (*self.inputs, *self.weights) if n in read]
        model = self._model(self.nodes, used, outputs)
        return (model, {n: a for n, a in self.inputs.items() if n in read},
                {n: self.values[n] for n in outputs})


def evaluate(model: ModelProto, values: Arrays) -> list[np.ndarray] | None:
    """The outputs by onnxruntime, or else by ONNX's reference; None if neither can."""
    feeds = {i.name: values[i.name] for i in model.graph.input}
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), SESSION,
                                               providers=["CPUExecutionProvider"])
        return session.run(None, feeds)
    except Exception:
        try:
            return [np.asarray(a) for a in ReferenceEvaluator(model).run(None, feeds)]
        except Exception:
            return None


def _info(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype),
                                         array.shape)


def _sound(array: np.ndarray) -> bool:
    if not 0 < array.size <= 4 * MOST or array.ndim > 7 or array.dtype.kind not in "fiub":
        return False
    return bool(np.isfinite(array).all() and np.abs(array.astype(np.float64)).max() <= LARGEST)


def _short(array: np.ndarray) -> bool:
    """Whether all elements are whole multiples of 2**-10."""
    scaled = array.astype(np.float64) * 2**10
    return bool((scaled == np.rint(scaled)).all())
