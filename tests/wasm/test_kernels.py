"""Every WebAssembly kernel but conv2d and matmul, on both instruction sets, against the operators'
float64 references: awkward sizes, strided operands, and guards around every output."""

from itertools import product

import numpy as np
import pytest
from onnxpress.emit.layout import Halo, Step, Want
from onnxpress.graph.expr import call, inp
from onnxpress.graph.graph import Node
from onnxpress.kernels.fill_halo import wasm as fill_halo
from onnxpress.ops import OPS
from onnxpress.ops.halo import FillHalo
from onnxpress.ops.reduce import Normalize, Reduce
from onnxpress.ops.sample import Gather
from onnxpress.programs.wasm.build import ISAS
from support.step_heap import GUARD, execute, indices, place, run_step

DENSE = Want()
LAYOUTS = {
    "dense": DENSE,
    "padded": Want(align=4),
    "halo": Want(Halo((1, 2, 3, 1))),
    "padded-halo": Want(Halo((2, 1, 0, 3)), align=4),
}
PAIRS = [("dense", "dense"), ("dense", "halo"), ("halo", "dense"), ("padded", "padded"),
         ("padded-halo", "halo"), ("halo", "padded-halo"), ("dense", "padded")]
CHANNELS = (1, 2, 3, 4, 5, 7, 8, 16, 17, 37)
EPSILON = 2.0**-23


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def check(op: str, arrays: list[np.ndarray], attrs: dict, layouts: list[Want] | None = None,
          isas: tuple[str, ...] = ISAS) -> None:
    """The step's output is within the operator's own tolerance, and nothing else has changed."""
    node = Node(OPS[op].attrs(**attrs), tuple(f"x{i}" for i in range(len(arrays))), ("y",))
    (want,) = OPS[op].reference(node, arrays)
    ulps = OPS[op].ulps(node, [a.shape for a in arrays])
    magnitude = max(1.0, float(np.abs(want).max(initial=0)),
                    *(float(np.abs(a).max(initial=0)) for a in arrays))
    for isa in isas:
        result = run_step(node, arrays, want.shape, layouts or [DENSE] * (len(arrays) + 1), isa)
        assert result.damage.size == 0
        np.testing.assert_allclose(result.output, want, rtol=0, atol=ulps * EPSILON * magnitude)


def nhwc(names: tuple[str, ...]) -> list[Want]:
    return [LAYOUTS[n] for n in names]


# --- pointwise -----------------------------------------------------------------------------------

AFFINE = call("max", inp(0) * 2 + 1, 0.0)
SHAPES = [
    ((2, 3, 5, 7), (2, 3, 5, 7)), ((2, 3, 5, 7), (7,)), ((2, 3, 5, 7), (1, 3, 1, 7)),
    ((2, 3, 5, 7), (2, 1, 5, 1)), ((4, 1), (1, 6)), ((1, 1, 1, 8), (2, 3, 4, 1)), ((), (3,)),
    ((), ()), ((35,), (35,)), ((2, 1, 3, 1, 5), (4, 1, 2, 1)), ((1, 6, 5, 1), (6, 1, 1)),
]


@pytest.mark.parametrize("a,b", SHAPES)
def test_pointwise_broadcasts(a, b):
    check("pointwise", [draw(*a), draw(*b, seed=1)], {"expr": inp(0) - inp(1) * 0.5})


@pytest.mark.parametrize("channels", CHANNELS)
def test_pointwise_on_strided_operands(channels):
    shape = (2, 3, 5, channels)
    for x, y in PAIRS:
        check("pointwise", [draw(*shape)], {"expr": AFFINE}, nhwc((x, y)), ISAS[:1])
        for bias in ((channels,), (2, 1, 1, channels), (2, 3, 5, 1)):
            layouts = [*nhwc((x,)), DENSE, *nhwc((y,))]
            check("pointwise", [draw(*shape), draw(*bias)], {"expr": inp(0) + inp(1)}, layouts)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 15, 16, 17, 31, 67, 1000])
def test_pointwise_writes_exactly_its_elements(length):
    check("pointwise", [draw(length)], {"expr": AFFINE})
    check("pointwise", [draw(length), draw(1)], {"expr": inp(1) - inp(0)})


# --- movement ------------------------------------------------------------------------------------

MOVES = [
    ("transpose", [(2, 3, 5, 7)], {"perm": (0, 2, 3, 1)}),
    ("transpose", [(2, 5, 7, 3)], {"perm": (0, 3, 1, 2)}),
    ("transpose", [(1, 8, 8, 12)], {"perm": (0, 3, 1, 2)}),
    ("transpose", [(1, 13, 9, 10)], {"perm": (0, 2, 3, 1)}),
    ("transpose", [(9, 10)], {"perm": (1, 0)}),
    ("transpose", [(2, 3, 4, 5, 6)], {"perm": (4, 1, 3, 0, 2)}),
    ("slice", [(2, 9, 8)], {"starts": (0, 8, 1), "steps": (1, -2, 3), "shape": (2, 4, 2)}),
    ("slice", [(1, 4, 5, 6)], {"starts": (0, 1, 4, 2), "steps": (1, 1, -1, 1),
                               "shape": (1, 2, 5, 3)}),
    ("concat", [(2, 3, 4, 3), (2, 3, 4, 5), (2, 3, 4, 1)], {"axis": 3}),
    ("concat", [(2, 3), (4, 3)], {"axis": 0}),
    ("pad", [(2, 3, 4, 5)], {"before": (0, 1, 2, 0), "after": (0, 3, 0, 1), "mode": "constant",
                             "value": 1.5}),
    ("pad", [(1, 5, 4, 3)], {"before": (0, 2, 3, 0), "after": (0, 4, 1, 0), "mode": "reflect"}),
    ("pad", [(1, 5, 4, 3)], {"before": (0, 2, 3, 1), "after": (0, 4, 1, 2), "mode": "edge"}),
    ("expand", [(3, 1, 5)], {"shape": (2, 3, 4, 5)}),
    ("expand", [(3, 1)], {"shape": (3, 9)}),
    ("upsample_zero", [(2, 3, 4, 5)], {"strides": (2, 3)}),
    ("interleave", [(2, 3, 4, 24)], {"strides": (2, 3), "starts": (0, 0), "size": (6, 12)}),
    ("interleave", [(2, 3, 4, 30)], {"strides": (2, 3), "starts": (1, 2), "size": (4, 7)}),
    ("interleave", [(2, 3, 4, 5)] * 4, {"strides": (2, 2), "starts": (0, 1), "size": (5, 7)}),
    ("copy", [(2, 3, 4, 5)], {}),
]


@pytest.mark.parametrize("op,shapes,attrs", MOVES, ids=[f"{i}-{m[0]}" for i, m in enumerate(MOVES)])
def test_moves_are_exact(op, shapes, attrs):
    arrays = [draw(*s, seed=i) for i, s in enumerate(shapes)]
    check(op, arrays, attrs)
    node = Node(OPS[op].attrs(**attrs), tuple(f"x{i}" for i in range(len(arrays))), ("y",))
    out_rank = len(OPS[op].infer(node, shapes)[0])
    for x, y in PAIRS:
        layouts = [LAYOUTS[x] if len(s) == 4 else DENSE for s in shapes]
        check(op, arrays, attrs, [*layouts, LAYOUTS[y] if out_rank == 4 else DENSE])


@pytest.mark.parametrize("channels", CHANNELS)
def test_image_layout_moves(channels):
    for layout in LAYOUTS.values():
        check("transpose", [draw(2, channels, 6, 9)], {"perm": (0, 2, 3, 1)}, [DENSE, layout])
        check("transpose", [draw(2, 6, 9, channels)], {"perm": (0, 3, 1, 2)}, [layout, DENSE])
        check("copy", [draw(2, 3, 5, channels)], {}, [layout, DENSE])


@pytest.mark.parametrize("align", [1, 4])
@pytest.mark.parametrize("mode,pads", [
    ("zero", (2, 1, 3, 4)), ("reflect", (2, 1, 3, 4)), ("edge", (2, 1, 3, 4)),
    ("reflect", (1, 1, 0, 2)), ("edge", (0, 3, 0, 0)),
])
def test_fill_halo_changes_the_border_alone(mode, pads, align):
    x, extent = draw(2, 4, 5, 3), (2, 1, 3, 4)
    t = place("y", x.shape, Want(Halo(extent, pads, mode), align), 16)
    node = Node(FillHalo(mode=mode, pads=pads), (), ("y",))
    before = np.full(t.base + t.size + 16, GUARD, np.float32)
    before[indices(t)] = x
    want = before.copy()
    top, left, bottom, right = extent if mode == "zero" else pads
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)),
                    mode="constant" if mode == "zero" else mode)
    grids = np.ix_(*(np.arange(n) * s for n, s in zip(padded.shape, t.strides, strict=True)))
    corner = t.offset - top * t.strides[1] - left * t.strides[2]
    want[corner + sum(grids)] = padded
    unknown = np.zeros(before.shape, bool)  # padding lanes
    if align > 1:
        for lane in range(3, t.strides[2]):
            unknown[corner + sum(grids)[..., :1] + lane] = True
    for isa in ISAS:
        after = execute(lambda e: fill_halo.emit(Step(node, (), (t,)), e), before, isa)
        np.testing.assert_array_equal(after[~unknown], want[~unknown])


# --- folds ---------------------------------------------------------------------------------------

AXES = [(0,), (1,), (2,), (3,), (1, 2), (2, 3), (0, 1, 2, 3), (0, 2), (1, 3), (1, 2, 3)]


@pytest.mark.parametrize("kind", ["sum", "mean", "max", "min", "prod"])
@pytest.mark.parametrize("axes", AXES)
def test_reduce_over_any_axes(kind, axes):
    for shape in ((2, 3, 5, 7), (2, 9, 4, 17), (1, 6, 6, 1)):
        for x, y in PAIRS:
            check("reduce", [draw(*shape)], {"kind": kind, "axes": axes}, nhwc((x, y)), ISAS[:1])
    check("reduce", [draw(2, 3, 5, 7)], {"kind": kind, "axes": axes})


@pytest.mark.parametrize("shape,axes", [
    ((5000,), (0,)), ((3, 4097), (1,)), ((300, 5), (0,)), ((2, 300, 6), (1,)), ((129, 129), (0, 1)),
    ((2, 260, 3, 260), (1, 3)), ((4, 1, 5), (1,)),
])
def test_long_sums_are_cut_into_blocks(shape, axes):
    x = np.abs(draw(*shape)) + 1
    check("reduce", [x], {"kind": "mean", "axes": axes})
    node = Node(Reduce(kind="sum", axes=axes), ("x0",), ("y",))
    (want,) = OPS["reduce"].reference(node, [x])
    got = run_step(node, [x], want.shape, [DENSE, DENSE], "simd128").output
    np.testing.assert_allclose(got, want, rtol=2e-6)


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (1, 4, 4, 21), (3, 8, 1, 16), (2, 1, 1, 1000)])
@pytest.mark.parametrize("log", [False, True])
def test_softmax_along_any_axis(shape, log):
    for axis in range(4):
        for x, y in PAIRS:
            check("softmax", [draw(*shape) * 4], {"axis": axis, "log": log}, nhwc((x, y)))
    check("softmax", [draw(5, 197)], {"axis": 1, "log": log})


@pytest.mark.parametrize("channels", CHANNELS)
def test_instance_norm(channels):
    shape = (2, 5, 9, channels)
    x = draw(*shape) * 3 + 100
    for scale in ((1, 1, 1, channels), (2, 1, 1, channels)):
        parts = [x, draw(*scale, seed=1), draw(*scale, seed=2)]
        for a, b in PAIRS:
            layouts = [LAYOUTS[a], DENSE, DENSE, LAYOUTS[b]]
            check("normalize", parts, {"axes": (1, 2), "eps": 1e-5}, layouts)


def test_instance_norm_of_many_rows():
    arrays = [draw(2, 37, 3, 6) * 3 + 100, draw(1, 1, 1, 6, seed=1), draw(1, 1, 1, 6, seed=2)]
    check("normalize", arrays, {"axes": (1, 2), "eps": 1e-5})


def test_normalize_epilogue():
    residual = call("max", inp(0) + inp(1) * inp(2), 0.0)
    arrays = [draw(2, 5, 6, 7), draw(1, 1, 1, 7), draw(1, 1, 1, 7, seed=3),
              draw(2, 5, 6, 7, seed=1), draw(7)]
    check("normalize", arrays, {"axes": (1, 2), "eps": 1e-5, "epilogue": residual})


@pytest.mark.parametrize("shape,axes,scale", [
    ((4, 6, 17), (2,), (17,)), ((3, 5, 4), (1, 2), (5, 4)), ((2, 8, 300), (2,), (1, 8, 1)),
    ((2, 3, 4, 5), (3,), (5,)), ((7, 768), (1,), (768,)), ((2, 3, 4, 5), (0, 1, 2), (5,)),
])
def test_layer_norm_and_kin(shape, axes, scale):
    arrays = [draw(*shape) + 10, draw(*scale, seed=1), draw(*scale, seed=2)]
    check("normalize", arrays, {"axes": axes, "eps": 1e-6})


def test_variance_survives_a_large_mean():
    x = draw(1, 64, 64, 4) + 1000
    one, zero = np.ones((1, 1, 1, 4), np.float32), np.zeros((1, 1, 1, 4), np.float32)
    node = Node(Normalize(axes=(1, 2), eps=1e-5), ("x0", "x1", "x2"), ("y",))
    (want,) = OPS["normalize"].reference(node, [x, one, zero])
    got = run_step(node, [x, one, zero], x.shape, [DENSE] * 4, "relaxed").output
    # The mean itself is rounded to half an ulp of 1000, three of them with its sum and division.
    np.testing.assert_allclose(got, want, atol=3 * 1000 * EPSILON)


# --- windows and tables --------------------------------------------------------------------------

POOLS = [
    {"kernel": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)},
    {"kernel": (2, 2), "strides": (2, 2), "pads": (0, 0, 0, 0)},
    {"kernel": (5, 3), "strides": (1, 2), "pads": (2, 0, 2, 1)},
    {"kernel": (3, 2), "strides": (1, 1), "pads": (0, 1, 2, 0), "dilations": (2, 3)},
    {"kernel": (13, 9), "strides": (1, 1), "pads": (6, 4, 6, 4)},
    {"kernel": (3, 3), "strides": (2, 2), "pads": (0, 0, 0, 0), "ceil": True},
]


@pytest.mark.parametrize("spec", POOLS)
@pytest.mark.parametrize("kind,included", [("max", False), ("avg", False), ("avg", True)])
def test_pool2d(spec, kind, included):
    spec = {"dilations": (1, 1), **spec}
    up = 1 if spec.get("ceil") else 0
    size = tuple(
        -(-(n + b + a - (k - 1) * d - 1) // s) + 1 if up else
        (n + b + a - (k - 1) * d - 1) // s + 1
        for n, k, s, d, b, a in zip((8, 10), spec["kernel"], spec["strides"], spec["dilations"],
                                    spec["pads"][:2], spec["pads"][2:], strict=True))
    attrs = {k: v for k, v in spec.items() if k != "ceil"}
    attrs |= {"kind": kind, "count_include_pad": included, "size": size}
    for channels in (1, 3, 4, 17):
        for x, y in PAIRS:
            check("pool2d", [draw(2, 8, 10, channels)], attrs, nhwc((x, y)), ISAS[:1])
    check("pool2d", [draw(1, 8, 10, 24)], attrs)


def nearest(n: int, out: int) -> tuple:
    return tuple((i * n // out,) for i in range(out)), ((1.0,),) * out


def blend(n: int, out: int, taps: int) -> tuple:
    """Windows of `taps` cells with weights that differ."""
    starts = [min(i * n // out, n - taps) for i in range(out)]
    weights = [tuple((j + 1 + i % 3) / 8 for j in range(taps)) for i in range(out)]
    return tuple(tuple(range(s, s + taps)) for s in starts), tuple(weights)


@pytest.mark.parametrize("channels", CHANNELS)
def test_resize2d(channels):
    tables = [(nearest(5, 10), nearest(6, 12)), (nearest(5, 3), nearest(6, 7)),
              (blend(5, 8, 2), blend(6, 11, 2)), (blend(5, 7, 4), blend(6, 5, 4)),
              (blend(5, 7, 2), nearest(6, 6))]
    for (rows, cols), (x, y) in product(tables, PAIRS):
        check("resize2d", [draw(2, 5, 6, channels)], {"rows": rows, "cols": cols}, nhwc((x, y)),
              ISAS[:1])
    check("resize2d", [draw(2, 5, 6, channels)], {"rows": blend(5, 9, 3), "cols": blend(6, 7, 2)})


@pytest.mark.parametrize("shape,index,axis", [
    ((9, 7), [0, 3, -1, 8], 0), ((4, 9), [[1, 2], [-9, 0]], 1), ((2, 5, 17), [4], 1),
    ((6,), [3, 3, 0], 0), ((2, 3, 4, 5), 2, 2),
])
def test_gather(shape, index, axis):
    check("gather", [draw(*shape), np.asarray(index, np.float32)], {"axis": axis})


def test_gather_never_leaves_its_table():
    x, index = draw(4, 3), np.array([9, -9, np.nan, np.inf], np.float32)
    node = Node(Gather(axis=0), ("x0", "x1"), ("y",))
    got = run_step(node, [x, index], (4, 3), [DENSE] * 3, "relaxed").output
    np.testing.assert_array_equal(got, x[[3, 0, 0, 3]])


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("last", [True, False])
def test_argmax(largest, last):
    x = np.round(draw(2, 6, 7, 9) * 2)
    for axis in range(4):
        attrs = {"axis": axis, "largest": largest, "select_last": last}
        for a, b in PAIRS:
            check("argmax", [x], attrs, nhwc((a, b)), ISAS[:1])
    check("argmax", [draw(3, 1001)], {"axis": 1, "largest": largest, "select_last": last})


@pytest.mark.parametrize("lo,hi", [(2, 2), (1, 2), (0, 0), (9, 9)])
def test_window_sum(lo, hi):
    for channels in (1, 3, 8, 17):
        for x, y in PAIRS:
            check("window_sum", [draw(2, 3, 4, channels)], {"lo": lo, "hi": hi}, nhwc((x, y)))
