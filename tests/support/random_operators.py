"""The other operators of random models: reductions, norms, products, convolutions, pools, and the
list of all: RECIPES. See random_models.py."""

import numpy as np
from support.random_elements import ELEMENTS, TAILS
from support.random_models import LENGTHS, Recipe, Sketch


def _narrow(s: Sketch, x: str) -> bool:
    """Whether ONNX's sums do not take the type."""
    return s.values[x].dtype.itemsize == 1


def reduce(s: Sketch) -> bool:
    op = s.one(("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSumExp"))
    x = s.pick(("f", "f", "i"), exact=op == "Mean")
    rank = s.values[x].ndim
    axes = [a - rank * s.chance() for a in range(rank) if s.chance()]
    if (s.values[x].dtype.kind == "i" and op in ("L2", "LogSumExp")) or _narrow(s, x):
        return False
    return s.add(f"Reduce{op}", [x, s.ints(axes)] if axes else [x], keepdims=int(s.chance()),
                 exact=op not in ("L2", "LogSumExp", "Mean"))


def extreme(s: Sketch) -> bool:
    x = s.pick(("f", "i"), (1, 5), exact=True)
    return s.add(s.one(("ArgMax", "ArgMin")), [x], axis=s.integer(0, s.values[x].ndim - 1),
                 keepdims=int(s.chance()), select_last_index=int(s.chance()), exact=True)


def top(s: Sketch) -> bool:
    x = s.pick(("f", "i"), (1, 4), exact=True)
    axis = s.integer(0, s.values[x].ndim - 1)
    k = s.integer(1, s.values[x].shape[axis])
    return s.add("TopK", [x, s.ints([k])], outputs=2, axis=axis, largest=int(s.chance()),
                 exact=True)


def total(s: Sketch) -> bool:
    x = s.pick(("f", "i"), (1, 5))
    axis = s.integer(0, s.values[x].ndim - 1)
    return not _narrow(s, x) and s.add(
        "CumSum", [x, s.ints(axis)], exact=True, exclusive=int(s.chance()),
        reverse=int(s.chance()))


def softmax(s: Sketch) -> bool:
    x = s.pick(ranks=(1, 5))
    return s.add(s.one(("Softmax", "LogSoftmax")), [x], axis=s.integer(0, s.values[x].ndim - 1))


def hardmax(s: Sketch) -> bool:
    x = s.pick(ranks=(1, 4), exact=True)
    return s.add("Hardmax", [x], axis=s.integer(0, s.values[x].ndim - 1), exact=True)


def layer_norm(s: Sketch) -> bool:
    x = s.pick(ranks=(1, 5))
    shape = s.values[x].shape
    axis = s.integer(0, len(shape) - 1)
    scale = s.array(shape[axis:], "f")
    return s.add("LayerNormalization", [x, s.weight(scale), s.weight(scale + 1)][: s.integer(2, 3)],
                 axis=axis, epsilon=0.5)


def channel_norm(s: Sketch) -> bool:
    """Batch, instance and group normalization."""
    x = s.pick(ranks=(3, 4))
    c = s.values[x].shape[1]
    scale, shift = s.array((c,), "f"), s.array((c,), "f")
    op = s.one(("BatchNormalization", "InstanceNormalization", "GroupNormalization"))
    if op == "BatchNormalization":
        spread = np.abs(s.array((c,), "f")) + 0.5
        return s.add(op, [x, *map(s.weight, (scale, shift, shift / 2, spread))])
    groups = {"num_groups": s.one([g for g in range(1, c + 1) if c % g == 0])}
    return s.add(op, [x, s.weight(scale), s.weight(shift)], epsilon=0.5,
                 **(groups if op == "GroupNormalization" else {}))


def lp_norm(s: Sketch) -> bool:
    x = s.pick(ranks=(1, 4))
    return s.add("LpNormalization", [x], axis=s.integer(0, s.values[x].ndim - 1), p=s.integer(1, 2))


def response(s: Sketch) -> bool:
    return s.add("LRN", [s.pick(ranks=(4, 4))], size=s.one((1, 3, 5)), alpha=0.1, beta=0.75)


def matmul(s: Sketch) -> bool:
    x = s.pick(ranks=(1, 4))
    shape = s.values[x].shape
    lead = [1 if s.chance(0.4) else n for n in shape[:-2]][s.integer(0, max(len(shape) - 2, 0)):]
    columns = s.one((1, 2, 3, 5, 9))
    other = s.array((*lead, shape[-1], columns) if s.chance(0.8) else shape[-1:], "f")
    y = s.weight(other) if s.chance(0.7) else s.input(other)
    return s.add("MatMul", [x, y], exact=True)


def gemm(s: Sketch) -> bool:
    x = s.pick(ranks=(2, 2))
    flip = s.chance()
    k, m = s.values[x].shape[:: 1 if flip else -1]
    n, turned = s.one((1, 2, 5, 8)), s.chance()
    y = s.array((n, k) if turned else (k, n), "f")
    c = s.array(s.one(((n,), (1,), (m, 1), (m, n), ())), "f")
    return s.add("Gemm", [x, s.weight(y) if s.chance(0.7) else s.input(y),
                          *([s.weight(c)] * s.chance())],
                 transA=int(flip), transB=int(turned), alpha=s.one((1.0, 0.5)),
                 beta=s.one((1.0, 2.0)))


def einsum(s: Sketch) -> bool:
    x = s.pick(ranks=(2, 2))
    y = s.weight(s.array((s.values[x].shape[1], s.one((1, 3, 4))), "f"))
    return s.add("Einsum", [x, y], equation=s.one(("ij,jk->ik", "ij,jk->ki", "ij,jk->k")))


def rms_norm(s: Sketch) -> bool:
    x = s.pick(ranks=(1, 5))
    shape = s.values[x].shape
    axis = s.integer(0, len(shape) - 1)
    return s.add("RMSNormalization", [x, s.weight(s.array(shape[axis:], "f"))], axis=axis,
                 epsilon=0.5)


def attention(s: Sketch) -> bool:
    """Of [batch, heads, tokens, size]; several heads may share a key and value."""
    shared, heads, batch, size = s.one((1, 2)), s.one((1, 2, 3)), s.one((1, 2)), s.one((1, 4, 5))
    tokens, others = s.one((1, 3, 7)), s.one((1, 2, 5))
    names = [s.input(s.array((batch, h, n, size), "f"))
             for h, n in ((heads * shared, tokens), (heads, others), (heads, others))]
    if s.chance(0.3):
        names.append(s.input(s.array((tokens, others), "f")))
    return s.add("Attention", names, **({"is_causal": 1} if s.chance(0.3) else {}),
                 **({"scale": 0.25} if s.chance() else {}))


def hamming(s: Sketch) -> bool:
    """A function of ONNX whose attributes have defaults, as a factor of a value."""
    x = s.pick(ranks=(1, 3))
    length = s.ints(s.values[x].shape[-1])
    written = {"periodic": s.integer(0, 1)} if s.chance() else {}
    if not s.add("HammingWindow", [length], **written):
        return False
    s.constant.add(s.nodes[-1].output[0])
    return s.add("Mul", [x, s.nodes[-1].output[0]])


def center(s: Sketch) -> bool:
    x = s.pick(("f", "i"), (1, 4))
    axes = [a for a in range(s.values[x].ndim) if s.chance(0.6)] or [0]
    return s.add("CenterCropPad", [x, s.ints([s.one(LENGTHS) for _ in axes])], axes=axes,
                 exact=True)


def _window(s: Sketch, sizes: tuple[int, ...], most: int = 3) -> dict[str, list[int] | str]:
    """kernel_shape, strides, dilations and pads of a window over `sizes`."""
    attrs: dict[str, list[int] | str] = {
        "kernel_shape": [s.integer(1, min(most, size)) for size in sizes],
        "strides": [s.integer(1, 3) for _ in sizes]}
    if s.chance(0.3):
        attrs["dilations"] = [s.integer(1, 2) if 2 * k - 1 <= size else 1
                              for k, size in zip(attrs["kernel_shape"], sizes, strict=True)]
    if s.chance():
        attrs["pads"] = [s.integer(0, int(k > 1)) for k in 2 * attrs["kernel_shape"]]
    elif "dilations" not in attrs and s.chance(0.5):
        # Where a stride is beyond the kernel, onnxruntime's convolutions leave ONNX's formula.
        attrs["strides"] = [1] * len(sizes)
        attrs["auto_pad"] = s.one(("SAME_UPPER", "SAME_LOWER", "VALID"))
    return attrs


def convolution(s: Sketch) -> bool:
    x = s.pick(ranks=(3, 4))
    _, c, *sizes = s.values[x].shape
    group = s.one((1, 1, c))
    o = group * s.one((1, 1, 2, 4)) if group > 1 else s.one((1, 2, 3, 4, 8, 9))
    attrs = _window(s, tuple(sizes))
    w = s.array((o, c // group, *attrs["kernel_shape"]), "f")
    return s.add("Conv", [x, s.weight(w), *([s.weight(s.array((o,), "f"))] * s.chance())],
                 group=group, **attrs)


def transposed(s: Sketch) -> bool:
    x = s.pick(ranks=(3, 4))
    _, c, *sizes = s.values[x].shape
    group = s.one((1, c))
    kernel = [s.integer(1, 4) for _ in sizes]
    w = s.array((c, s.one((1, 2, 3)), *kernel), "f")
    apart = {"dilations": [s.integer(1, 2) for _ in sizes]} if s.chance(0.2) else {}
    return s.add("ConvTranspose", [x, s.weight(w) if s.chance(0.7) else s.input(w)], group=group,
                 strides=[s.integer(1, 3) for _ in sizes], **apart,
                 pads=[s.integer(0, (k - 1) // 2) for k in (*kernel, *kernel)])


def pool(s: Sketch) -> bool:
    x = s.pick(ranks=(3, 4))
    attrs = _window(s, s.values[x].shape[2:])
    op = s.one(("MaxPool", "AveragePool", "LpPool"))
    if op != "MaxPool" and "auto_pad" in attrs:
        attrs.pop("dilations", None)
    extra = {"count_include_pad": int(s.chance())} if op == "AveragePool" else {}
    extra |= {"ceil_mode": int(s.chance(0.3))} if op != "LpPool" and "auto_pad" not in attrs else {}
    return s.add(op, [x], **attrs, **extra)


def global_pool(s: Sketch) -> bool:
    return s.add(s.one(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")),
                 [s.pick(ranks=(3, 4))])


def resize(s: Sketch) -> bool:
    x = s.pick(ranks=(3, 4))
    shape = s.values[x].shape
    sizes = [n if i < 2 else s.one((1, 2, 3, 5, n, 2 * n)) for i, n in enumerate(shape)]
    mode = s.one(("nearest", "linear", "cubic")[: len(shape) - 1])
    way = s.one(("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"))
    return s.add("Resize", [x, "", "", s.ints(sizes)], mode=mode,
                 coordinate_transformation_mode=way, exact=mode == "nearest")


RECIPES: tuple[Recipe, ...] = (
    *ELEMENTS, reduce, reduce, extreme, top, total, softmax, hardmax, layer_norm, channel_norm,
    rms_norm, attention, hamming, center, lp_norm, response, matmul, gemm, einsum, convolution,
    convolution, transposed, transposed, pool, global_pool, resize)


# Operators that may run the pointwise operator behind them.
HOSTS = ("Conv", "ConvTranspose", "MatMul", "Gemm", "InstanceNormalization", "LayerNormalization",
         "GroupNormalization")


def sketch(seed: int) -> Sketch:
    """A model of one to five nodes."""
    drawn = Sketch(seed)
    if drawn.chance(0.3):
        image = drawn.one((1, 1, 2)), drawn.one((1, 3, 4, 8, 12)), drawn.integer(3, 9)
        drawn.input(drawn.array((*image, drawn.integer(3, 9)), "f"))
    wanted = drawn.integer(1, 5)
    for _ in range(40):
        hosts = drawn.nodes and drawn.nodes[-1].op_type in HOSTS
        drawn.one(TAILS if hosts and drawn.chance(0.6) else RECIPES)(drawn)
        if len(drawn.nodes) >= wanted:
            break
    return drawn
