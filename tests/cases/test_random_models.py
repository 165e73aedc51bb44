"""Random models on the float64 graph, WebAssembly and JavaScript; see support/random_models.py."""

from pathlib import Path

import pytest
from onnxpress.ops import OPS, alias_start, bound
from onnxpress.ops.attrs import epilogue_of
from support.cases import IN_CASES
from support.random_jobs import drawn, run_here

STRIDE = 25


@pytest.mark.parametrize("first", range(0, 50, STRIDE))
def test_some(first: int, tmp_path: Path) -> None:
    run_here(drawn(range(first, first + STRIDE)), tmp_path)


@pytest.mark.parametrize("first", range(50, 600, STRIDE))
def test_many(first: int, tmp_path: Path) -> None:
    run_here(drawn(range(first, first + STRIDE)), tmp_path)


def test_what_is_drawn() -> None:
    """The models meet every operator, every epilogue and every alias, and functions."""
    graphs = [each.graph for each in drawn(range(600))]
    nodes = [(node, graph) for graph in graphs for node in graph.nodes]
    assert set(IN_CASES) == {node.op for node, _ in nodes}
    assert {name for name, op in OPS.items() if op.own is not None and name in IN_CASES} == {
        node.op for node, _ in nodes if epilogue_of(node)}
    assert {name for name, op in OPS.items() if op.alias} == {
        node.op for node, graph in nodes if OPS[node.op].alias and alias_start(
            bound(node, graph), graph.shape(node.inputs[0]), graph.shape(node.name)) is not None}
