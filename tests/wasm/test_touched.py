"""An operator whose addresses come from data, and that does not say so, fails here by itself."""

from dataclasses import replace
from functools import cache

from onnxpress.graph.graph import Graph
from onnxpress.ops import OPS
from support.cases import nodes_alone
from support.touched import undeclared
from support.wasm_graphs import GRAPHS

# Only planners make these; they only move elements, and chain convolutions.
PLANNED = {"copy", "fill_halo", "conv2d_chain"}


@cache
def graphs() -> tuple[Graph, ...]:
    return (*nodes_alone(), *(draw() for draw in GRAPHS.values()))


def test_every_operator_is_looked_at() -> None:
    """A new operator is looked at as soon as it has a case."""
    wanted = {op.name for op in OPS.values() if "wasm" in op.targets} - PLANNED
    assert wanted <= {node.op for graph in graphs() for node in graph.nodes}


def test_addresses_come_from_data_only_where_that_is_declared() -> None:
    assert undeclared(graphs(), OPS) == set()


def test_a_gather_that_declares_nothing_is_found() -> None:
    forgotten = {**OPS, "gather": replace(OPS["gather"], reads_by_data=())}
    gathers = [g for g in graphs() if any(node.op == "gather" for node in g.nodes)]
    assert undeclared(gathers, forgotten) == {"gather"}
