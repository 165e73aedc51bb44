"""Every pass: its text before and after is a golden, and both graphs compute the same.

`UPDATE_GOLDENS=1 pytest tests/passes` writes the goldens; the difference is for review.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from onnxpress import passes
from onnxpress.compiler import statistics
from onnxpress.graph.graph import Graph, check
from onnxpress.ops import check_shapes
from onnxpress.passes import PORTABLE, run_passes
from support.graphs import Draw, distance
from support.pass_cases import PASS_CASES
from support.random_graphs import random_graph

GOLDENS = Path(__file__).parent
BY_NAME = {p.__name__: p for p in PORTABLE}
CASES = [(name, case) for name, cases in PASS_CASES.items() for case in cases]
IDS = [f"{name}/{case.__name__}" for name, case in CASES]

# Folding stores f32: a sum of n products of rounded constants moves by n ulps at most, and the
# drawings sum fewer than 64.
TOLERANCE = 64 * float(np.finfo(np.float32).eps)


@pytest.mark.parametrize(("name", "case"), CASES, ids=IDS)
def test_pass(name, case):
    graph, notes = case(), []
    after = BY_NAME[name](graph, lambda where, reason: notes.append(f"{where}: {reason}"))
    check_shapes(check(after, name), name)
    assert distance(graph, after) <= TOLERANCE
    text = "\n".join(["before", str(graph), "", "after", str(after), "", "notes", *notes, ""])
    golden = GOLDENS / f"{name}.{case.__name__}.txt"
    if os.environ.get("UPDATE_GOLDENS"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize(("name", "case"), CASES, ids=IDS)
def test_whole_street(name, case):
    """All passes in order also keep the meaning."""
    graph = case()
    assert distance(graph, run_passes(graph, lambda where, reason: None)) <= TOLERANCE


@pytest.mark.parametrize(("name", "case"), CASES, ids=IDS)
def test_pass_changes_nothing_twice(name, case):
    """A pass leaves nothing for itself to do."""
    once = BY_NAME[name](case(), lambda where, reason: None)
    twice = BY_NAME[name](once, lambda where, reason: None)
    assert [n.op for n in twice.nodes] == [n.op for n in once.nodes]


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_keep_their_meaning(seed):
    graph = random_graph(seed)
    assert distance(graph, run_passes(graph, lambda where, reason: None)) <= TOLERANCE


@pytest.mark.parametrize(("kernel", "stride", "pads"), [
    (2, 2, (1, 1, 1, 1)), (4, 2, (3, 3, 3, 3)), (3, 2, (1, 1, 2, 2)), (6, 3, (5, 5, 5, 5)),
])
def test_phases_save_the_products_with_zeros(kernel, stride, pads):
    """Where the output is a multiple of the strides, and no window crops, all of them."""
    d = Draw()
    x = d.node("upsample_zero", "spread", d.input("x", 1, 8, 8, 4), strides=(stride,) * 2)
    before = d.graph(d.node("conv2d", "y", x, d.weights("w", kernel, kernel, 4, 4),
                            d.weights("b", 4), strides=(1, 1), pads=pads, dilations=(1, 1),
                            groups=1, pad_mode="zero"))
    after = run_passes(before, lambda where, reason: None)
    assert flops(before) == stride**2 * flops(after)


def flops(graph: Graph) -> int:
    return statistics(graph, 0).flops


def test_every_pass_has_a_case():
    assert set(BY_NAME) == set(PASS_CASES)
    assert {p.__module__ for p in PORTABLE} == {f"{passes.__name__}.{n}" for n in BY_NAME}


def test_notes_name_their_pass():
    notes = []
    run_passes(PASS_CASES["fold_pad"][0](), lambda where, reason: notes.append(reason))
    assert notes and all(reason.split(":")[0] in BY_NAME for reason in notes)
