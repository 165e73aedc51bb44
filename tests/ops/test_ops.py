"""Operators: strided moves carry out the reference, shapes and references agree."""

import numpy as np
import pytest
from onnxpress.errors import PassError
from onnxpress.graph.expr import PRIMS
from onnxpress.graph.graph import Graph, Node, Value
from onnxpress.ops import OPS, check_shapes, moves
from onnxpress.ops.copies import Moves, coalesce, dense
from onnxpress.ops.pointwise import FORMULAS, ULPS


def node(op: str, count: int = 1, **attrs) -> Node:
    return Node(OPS[op].attrs(**attrs), tuple(f"x{i}" for i in range(count)), ("y",))


def pad(before, after, mode="constant", **more) -> Node:
    return node("pad", before=before, after=after, mode=mode, **more)


MOVES = {
    "transpose": (node("transpose", perm=(0, 3, 1, 2)), [(2, 3, 4, 5)]),
    "transpose rank 3": (node("transpose", perm=(2, 0, 1)), [(3, 4, 5)]),
    "slice": (node("slice", starts=(1, 0), steps=(2, 1), shape=(2, 3)), [(5, 4)]),
    "slice backwards": (node("slice", starts=(4, 3), steps=(-2, -1), shape=(3, 4)), [(5, 4)]),
    "concat": (node("concat", 3, axis=1), [(2, 3, 2), (2, 1, 2), (2, 4, 2)]),
    "expand": (node("expand", shape=(2, 3, 4)), [(3, 1)]),
    "expand a scalar": (node("expand", shape=(2, 3)), [()]),
    "upsample_zero": (node("upsample_zero", strides=(2, 3)), [(1, 3, 4, 2)]),
    "upsample_zero by one": (node("upsample_zero", strides=(1, 1)), [(1, 3, 4, 2)]),
    "interleave": (node("interleave", strides=(2, 3), starts=(0, 0), size=(6, 12)),
                   [(2, 3, 4, 12)]),
    "interleave crops": (node("interleave", strides=(2, 3), starts=(1, 2), size=(4, 7)),
                         [(2, 3, 4, 12)]),
    "interleave crops rows": (node("interleave", 2, strides=(2, 3), starts=(1, 0), size=(5, 12)),
                              [(2, 3, 4, 6)] * 2),
    "interleave many": (node("interleave", 6, strides=(2, 3), starts=(0, 1), size=(5, 9)),
                        [(1, 3, 4, 2)] * 6),
    "interleave one row": (node("interleave", 4, strides=(4, 1), starts=(1, 0), size=(1, 3)),
                           [(1, 1, 3, 2)] * 4),
    "copy": (node("copy"), [(2, 3)]),
    "pad constant": (pad((0, 1, 2, 0), (0, 3, 0, 0), value=7.0), [(1, 2, 3, 2)]),
    "pad nothing": (pad((0, 0), (0, 0)), [(2, 3)]),
    "pad reflect": (pad((0, 2, 3, 0), (0, 1, 2, 0), "reflect"), [(1, 4, 5, 2)]),
    "pad reflect by one": (pad((1,), (1,), "reflect"), [(2,)]),
    "pad edge": (pad((0, 2, 3, 0), (0, 1, 2, 0), "edge"), [(1, 4, 5, 2)]),
    "pad edge of one": (pad((3,), (2,), "edge"), [(1,)]),
}


def carry_out(plan: Moves, sources, out: np.ndarray) -> np.ndarray:
    """The moves executed one element at a time on flat memory."""
    flat = out.reshape(-1)
    if plan.fill is not None:
        flat[:] = plan.fill
    for part in plan.parts:
        for index in np.ndindex(part.shape):
            at = part.src_offset + int(np.dot(index, part.src_strides))
            to = part.dst_offset + int(np.dot(index, part.dst_strides))
            flat[to] = sources[part.source].reshape(-1)[at]
    return out


@pytest.mark.parametrize("case", MOVES)
@pytest.mark.parametrize("merge", [False, True], ids=["", "coalesced"])
def test_moves_carry_out_the_reference(case, merge):
    op, shapes = MOVES[case]
    arrays = [np.random.default_rng(i).random(s) for i, s in enumerate(shapes)]
    (want,) = OPS[op.op].reference(op, arrays)
    assert OPS[op.op].infer(op, shapes) == (want.shape,)
    plan = moves(op, shapes, want.shape)
    if merge:
        plan = Moves(plan.fill, tuple(map(coalesce, plan.parts)))
    got = carry_out(plan, arrays, np.full(want.shape, np.nan))
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("case", MOVES)
def test_moves_follow_the_strides_they_are_given(case):
    """Sources and output sit in larger tensors, as values with a halo do."""
    op, shapes = MOVES[case]
    arrays = [np.random.default_rng(i).random(s) for i, s in enumerate(shapes)]
    (want,) = OPS[op.op].reference(op, arrays)
    homes = [np.full([n + 2 for n in s], np.nan) for s in shapes]
    for home, array in zip(homes, arrays, strict=True):
        home[tuple(slice(0, n) for n in array.shape)] = array
    room = [n + 1 for n in want.shape]
    plan = moves(op, shapes, want.shape, [dense(h.shape) for h in homes], dense(tuple(room)))
    inside = tuple(slice(0, n) for n in want.shape)
    out = np.full(room, np.nan)
    if plan.fill is not None:
        out[inside] = plan.fill
    carry_out(Moves(None, plan.parts), homes, out)
    np.testing.assert_array_equal(out[inside], want)
    assert np.isnan(out).sum() == out.size - want.size


def test_parts_of_a_move_never_overlap():
    for op, shapes in MOVES.values():
        (shape,) = OPS[op.op].infer(op, shapes)
        hits = np.zeros(shape)
        for part in moves(op, shapes, shape).parts:
            for index in np.ndindex(part.shape):
                hits.reshape(-1)[part.dst_offset + int(np.dot(index, part.dst_strides))] += 1
        assert hits.max() <= 1


def test_every_primitive_with_an_ulp_count_exists():
    assert set(ULPS) <= set(PRIMS)


def test_pointwise_rows_name_onnx_operators():
    assert all(name == row.name and name[0].isupper() for name, row in FORMULAS.items())


SHAPE_ERRORS = {
    "channels": (node("conv2d", 3, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), groups=1,
                      pad_mode="zero"),
                 [(1, 4, 4, 3), (3, 3, 4, 8), (8,)],
                 "3 channels in 1 groups do not fit weights for 4 in, 8 out"),
    "window": (node("conv2d", 3, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), groups=1,
                    pad_mode="zero"),
               [(1, 2, 2, 3), (3, 3, 3, 8), (8,)],
               "the 3x3 window does not fit the 2x2 image"),
    "inner": (node("matmul", 3), [(2, 3), (4, 5), (5,)],
              "(2, 3) times (4, 5): the inner lengths 3 and 4 differ"),
    "perm": (node("transpose", perm=(0, 0)), [(2, 3)], "perm (0, 0) does not fit rank 2"),
    "slice": (node("slice", starts=(2,), steps=(1,), shape=(2,)), [(3,)],
              "slice leaves axis 0 of (3,)"),
    "concat": (node("concat", 2, axis=0), [(2, 3), (2, 4)],
               "(2, 4) cannot be joined to (2, 3) along axis 0"),
    "reflect": (pad((3,), (0,), "reflect"), [(3,)], "cannot reflect 3 of 3"),
    "reshape": (node("reshape", shape=(4,)), [(2, 3)], "(2, 3) has 6 elements, (4,) has 4"),
}


@pytest.mark.parametrize("case", SHAPE_ERRORS)
def test_operands_that_do_not_fit(case):
    op, shapes, sentence = SHAPE_ERRORS[case]
    with pytest.raises(ValueError) as caught:
        OPS[op.op].infer(op, shapes)
    assert str(caught.value) == sentence


def test_check_shapes_catches_a_stale_shape():
    values = {"x0": Value((2, 3)), "y": Value((2, 3))}
    graph = Graph(("x0",), ("y",), (node("transpose", perm=(1, 0)),), values, {})
    with pytest.raises(PassError, match="after sink: transpose %y makes"):
        check_shapes(graph, "sink")
