"""Pointwise operators and moves of random models: ELEMENTS. See random_models.py."""

from functools import partial

import numpy as np
import onnx
from onnx import helper
from support.random_models import FLOAT, LENGTHS, OPSET, OWN, Recipe, Sketch

BOOL = ("b",)

# --- pointwise -----------------------------------------------------------------------------------

SMOOTH = ("Sigmoid", "Tanh", "Erf", "Softplus", "Softsign", "Elu", "Selu", "Celu", "HardSigmoid",
          "HardSwish", "Mish", "Gelu", "Sin", "Cos", "Atan", "Asinh", "Exp")
PLAIN = ("Relu", "Neg", "Abs", "LeakyRelu", "Identity")
JUMPS = ("Floor", "Ceil", "Round", "Sign", "ThresholdedRelu", "Shrink", "IsNaN", "IsInf")


def smooth(s: Sketch) -> bool:
    return s.add(s.one(SMOOTH), [s.pick()])


def plain(s: Sketch) -> bool:
    op = s.one(PLAIN)
    x = s.pick(FLOAT if op in ("Relu", "LeakyRelu") else ("f", "i"))
    return s.add(op, [x], exact=op != "LeakyRelu")


def jump(s: Sketch) -> bool:
    return s.add(s.one(JUMPS), [s.pick(exact=True)], exact=True)


def arithmetic(s: Sketch) -> bool:
    x = s.pick(("f", "f", "i", "u"))
    pair = [x, s.partner(x)]
    pair = pair[::-1] if s.chance() else pair
    return s.add(s.one(("Add", "Sub", "Mul", "Max", "Min")), pair, exact=True)


def divide(s: Sketch) -> bool:
    """By constants away from zero; integers by integers."""
    x = s.pick(("f", "i"), exact=True)
    by = s.values[s.partner(x, 1)]
    by = s.weight(np.where(by == 0, 3, by), by.dtype)
    op = "Div" if s.values[x].dtype.kind == "f" or s.chance() else "Mod"
    return s.add(op, [x, by], exact=s.values[x].dtype.kind != "f")


def power(s: Sketch) -> bool:
    x = s.pick(("i", "f"), exact=True)
    if s.values[x].dtype.itemsize == 1:
        return False  # ONNX has no powers of bytes
    if s.values[x].dtype.kind == "f":
        return s.add("Pow", [x, s.weight(s.one((1, 2, 3, [2.0])))])
    y = s.array(s.values[x].shape[-1:], "u") % 4
    y = y.astype(s.values[x].dtype)
    return s.add("Pow", [x, s.weight(y, y.dtype) if s.chance() else s.input(y)], exact=True)


def compare(s: Sketch) -> bool:
    op = s.one(("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"))
    x = s.pick(("f", "i"), exact=True)
    y = s.partner(x)
    return y in s.exact and s.add(op, [x, y], exact=True)


def logic(s: Sketch) -> bool:
    x = s.pick(BOOL)
    op = s.one(("And", "Or", "Xor", "Not"))
    return s.add(op, [x] if op == "Not" else [x, s.partner(x)], exact=True)


def where(s: Sketch) -> bool:
    x = s.pick(("f", "f", "i", "b"))
    c = s.array([1 if s.chance(0.3) else n for n in s.values[x].shape], "b")
    c = s.weight(c, np.bool_) if s.chance() else s.input(c)
    pair = [x, s.partner(x)]
    return s.add("Where", [c, *(pair[::-1] if s.chance() else pair)], exact=True)


def cast(s: Sketch) -> bool:
    x = s.pick(("f", "i", "u", "b"), exact=True)
    to = s.one(("float32", "int32", "int64", "int8", "uint8", "uint32", "bool"))
    # ONNX does not define floats beyond the type, nor ours integers beyond 2**24.
    if s.values[x].dtype.kind == "f" and to[0] == "u" and s.values[x].min() < 0:
        return False
    code = helper.np_dtype_to_tensor_dtype(np.dtype(to))
    return s.add("Cast", [x], exact=True, to=int(code))


def bits(s: Sketch) -> bool:
    x = s.pick(("u", "i"))
    op = s.one(("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot"))
    return s.add(op, [x] if op == "BitwiseNot" else [x, s.partner(x)], exact=True)


def clip(s: Sketch) -> bool:
    x = s.pick(("f", "f", "i"))
    dtype = s.values[x].dtype
    low = s.weight(0 if dtype.kind == "u" else s.integer(-3, 0), dtype)
    high = s.weight(s.integer(1, 4), dtype)
    return s.add("Clip", [[x, low, high], [x, low], [x, "", high]][s.integer(0, 2)], exact=True)


def slopes(s: Sketch) -> bool:
    x = s.pick()
    shape = [1 if s.chance(0.4) else n for n in s.values[x].shape]
    return s.add("PRelu", [x, s.weight(s.array(shape, "f"))])


def several(s: Sketch) -> bool:
    x = s.pick()
    op = s.one(("Sum", "Mean", "Max", "Min"))
    return s.add(op, [x, *(s.partner(x) for _ in range(s.integer(0, 2)))], exact=op != "Mean")


def functions(s: Sketch) -> bool:
    """A function of the model with a default, written or not."""
    if not s.functions:
        leak = helper.make_node("LeakyRelu", ["a"], ["b"])
        leak.attribute.append(onnx.AttributeProto(
            name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope"))
        s.functions.append(helper.make_function(
            OWN, "Leak", ["a"], ["b"], [leak], [helper.make_opsetid("", OPSET)],
            attribute_protos=[helper.make_attribute("slope", 0.5)]))
    return s.add("Leak", [s.pick()], domain=OWN, **({"slope": 0.25} if s.chance() else {}))


# --- moves ---------------------------------------------------------------------------------------

move = partial(Sketch.add, exact=True)
ANY = ("f", "f", "i", "b")


def transpose(s: Sketch) -> bool:
    x = s.pick(ANY)
    perm = [int(i) for i in s.random.permutation(s.values[x].ndim)]
    return move(s, "Transpose", [x], **({"perm": perm} if perm and s.chance(0.8) else {}))


def reshape(s: Sketch) -> bool:
    x = s.pick(ANY)
    shape = list(s.values[x].shape)
    for _ in range(s.integer(1, 3)):
        at = s.integer(0, max(len(shape) - 1, 0))
        if s.chance(0.4) or not shape:
            shape.insert(at, 1)
        elif len(shape) > 1 and at and s.chance():
            shape[at - 1 : at + 1] = [shape[at - 1] * shape[at]]
        else:
            part = s.one([f for f in range(1, shape[at] + 1) if shape[at] % f == 0])
            shape[at : at + 1] = [part, shape[at] // part]
    return len(shape) < 8 and move(s, "Reshape", [x, s.ints(shape)])


def squeeze(s: Sketch) -> bool:
    x = s.pick(ANY)
    ones = [i for i, n in enumerate(s.values[x].shape) if n == 1 and s.chance(0.7)]
    if ones and s.chance():
        return move(s, "Squeeze", [x, s.ints(ones)])
    rank = s.values[x].ndim
    return move(s, "Unsqueeze", [x, s.ints([s.integer(-rank - 1, rank)])])


def slice_(s: Sketch) -> bool:
    x = s.pick(ANY, (1, 6))
    shape = s.values[x].shape
    axes = [a for a in range(len(shape)) if s.chance(0.6)] or [0]
    steps = [s.one((1, 1, 2, 2, 3, -1, -2)) for _ in axes]
    starts = [s.integer(-shape[a], shape[a] - 1) for a in axes]
    starts = [s.one((0 if k > 0 else -1, v)) for v, k in zip(starts, steps, strict=True)]
    ends = [s.one((2**31, shape[a], s.integer(-shape[a], shape[a]))) if k > 0
            else s.one((-(2**31), -99, s.integer(-shape[a], shape[a])))
            for a, k in zip(axes, steps, strict=True)]
    return move(s, "Slice", [x, *map(s.ints, (starts, ends, axes, steps))])


def gather(s: Sketch) -> bool:
    x = s.pick(ANY, (1, 5))
    axis = s.integer(0, s.values[x].ndim - 1)
    n = s.values[x].shape[axis]
    start, step = s.integer(0, n - 1), s.one((-2, -1, 1, 2, 3))
    evenly = [i for i in range(start, start + 4 * step, step) if 0 <= i < n]
    index = np.array(evenly if s.chance() else s.random.integers(-n, n, s.shape(0, 2)), np.int64)
    constant = s.chance(0.6)
    return move(s, "Gather", [x, s.weight(index, np.int64) if constant else s.input(index)],
                axis=axis)


def concat(s: Sketch) -> bool:
    x = s.pick(ANY, (1, 6))
    mine = s.values[x]
    axis = s.integer(0, mine.ndim - 1)
    names = [x]
    for _ in range(s.integer(1, 3)):
        shape = [s.one(LENGTHS) if i == axis else n for i, n in enumerate(mine.shape)]
        array = s.array(shape, mine.dtype.kind).astype(mine.dtype)
        same = [n for n, v in s.values.items() if v.dtype == mine.dtype and v.shape == mine.shape]
        names.append(s.one(same) if s.chance(0.4) else
                     s.weight(array, array.dtype) if s.chance() else s.input(array))
    s.random.shuffle(names)
    return move(s, "Concat", [str(n) for n in names], axis=axis - mine.ndim * s.chance())


def split(s: Sketch) -> bool:
    x = s.pick(ANY, (1, 6))
    axis = s.integer(0, s.values[x].ndim - 1)
    n = s.values[x].shape[axis]
    if n < 2:
        return False
    cut = s.integer(1, n - 1)
    return move(s, "Split", [x, s.ints([cut, n - cut])], outputs=2, axis=axis)


def pad(s: Sketch) -> bool:
    x = s.pick(("f", "f", "i"), (1, 5))
    mode = s.one(("constant", "constant", "reflect", "edge", "wrap"))
    shape = s.values[x].shape
    low = -1 if mode == "constant" else 0
    pads = [min(s.one((0, 0, low, 1, 2)), n - 1) if n > 1 else s.one((0, 0, 1)) * (low < 0)
            for n in (*shape, *shape)]
    value = [s.weight(s.integer(0, 3), s.values[x].dtype)] * (mode == "constant" and s.chance())
    return move(s, "Pad", [x, s.ints(pads), *value], mode=mode)


def expand(s: Sketch) -> bool:
    x = s.pick(ANY)
    shape = [s.one(LENGTHS) if n == 1 else n for n in s.values[x].shape]
    shape = [*([s.one((1, 2, 3))] * s.integer(0, 2)), *shape]
    return move(s, "Expand", [x, s.ints(shape)])


def tile(s: Sketch) -> bool:
    x = s.pick(ANY)
    return move(s, "Tile", [x, s.ints([s.one((1, 1, 2, 3)) for _ in s.values[x].shape])])


def blocks(s: Sketch) -> bool:
    b, mode = s.integer(1, 2), s.one(("DCR", "CRD"))
    n, c, h, w = s.one((1, 2)), s.one((1, 2, 3)), s.one((1, 2, 3)), s.one((1, 2, 5))
    if s.chance():
        x = s.input(s.array((n, c * b * b, h, w), "f"))
        return move(s, "DepthToSpace", [x], blocksize=b, mode=mode)
    return move(s, "SpaceToDepth", [s.input(s.array((n, c, h * b, w * b), "f"))], blocksize=b)


def flatten(s: Sketch) -> bool:
    x = s.pick(ANY)
    return move(s, "Flatten", [x], axis=s.integer(0, s.values[x].ndim))


def triangle(s: Sketch) -> bool:
    x = s.pick(("f", "i"), (2, 4))
    return move(s, "Trilu", [x, s.ints(s.integer(-2, 2))], upper=int(s.chance()))


def one_hot(s: Sketch) -> bool:
    i = s.input(s.random.integers(-3, 5, s.shape(0, 3)))
    return move(s, "OneHot", [i, s.ints(5), s.weight([-1, 2])], axis=-1)


ELEMENTS: tuple[Recipe, ...] = (
    smooth, smooth, plain, plain, jump, arithmetic, arithmetic, arithmetic, divide, power, compare,
    logic, where, cast, bits, clip, slopes, several, functions, transpose, transpose, reshape,
    reshape, squeeze, slice_, slice_, gather, concat, split, pad, expand, tile, blocks, flatten,
    triangle, one_hot)
TAILS: tuple[Recipe, ...] = (smooth, plain, arithmetic, clip, slopes)
