"""An operator's row: it states every property, and states the truth. The nodes come from the table
of cases, so a new operator is checked as soon as it has a case."""

from dataclasses import MISSING, fields, replace
from itertools import permutations

import numpy as np
import pytest
from onnxpress.graph.graph import Graph
from onnxpress.ops import OPS, Op, alias_start, bound, follow
from onnxpress.passes.axes import unpermute
from support.cases import nodes_alone
from support.graphs import sample_inputs

PLANNED = {"copy", "fill_halo", "conv2d_chain"}  # only planners make these


def results(graph: Graph, arrays: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """What the graph's only node makes of its operands."""
    (node,) = graph.nodes
    return OPS[node.op].reference(bound(node, graph), arrays)


def operands(graph: Graph) -> list[np.ndarray]:
    """Random operands of the graph's only node."""
    (node,), given = graph.nodes, sample_inputs(graph)
    return [given[name] for name in node.inputs]


@pytest.mark.parametrize("name", [f.name for f in fields(Op)])
def test_a_row_that_forgets_a_property_fails(name: str) -> None:
    row = OPS["softmax"]
    assert all(f.default is f.default_factory is MISSING for f in fields(Op))
    rest = {f.name: getattr(row, f.name) for f in fields(Op) if f.name != name}
    with pytest.raises(TypeError, match=name):
        Op(**rest)


def test_a_row_and_its_attributes_agree() -> None:
    row = {f.name: getattr(OPS["conv2d"], f.name) for f in fields(Op)}
    for name in ("own", "weights_rank"):
        with pytest.raises(TypeError, match="conv2d: its row and its attributes differ"):
            Op(**{**row, name: None})


def test_every_operator_has_a_case() -> None:
    assert {graph.nodes[0].op for graph in nodes_alone()} == set(OPS) - PLANNED


def test_outputs_are_as_many_as_the_row_names() -> None:
    for graph in nodes_alone():
        (node,) = graph.nodes
        made = results(graph, operands(graph))
        assert len(made) == len(node.outputs) == len(OPS[node.op].outputs), node.op
        assert [a.shape for a in made] == [graph.shape(name) for name in node.outputs], node.op


def test_epilogues_begin_behind_the_own_operands() -> None:
    for graph in nodes_alone():
        (node,) = graph.nodes
        own = OPS[node.op].own
        assert own is None or own <= len(node.inputs), node.op


def test_what_picks_makes_no_other_elements() -> None:
    for graph in nodes_alone():
        (node,) = graph.nodes
        if OPS[node.op].picks(node):
            arrays = operands(graph)
            known = np.concatenate([np.ravel(a) for a in arrays])
            assert all(np.isin(made, known).all() for made in results(graph, arrays)), node.op


def test_an_alias_is_the_operand_from_some_element_on() -> None:
    for graph in nodes_alone():
        (node,) = graph.nodes
        (out,), arrays = node.outputs[:1], operands(graph)
        start = alias_start(node, arrays[0].shape, graph.shape(out))
        if start is not None:
            (made,) = results(graph, arrays)
            np.testing.assert_array_equal(made.ravel(), arrays[0].ravel()[start:][: made.size])


def test_attributes_follow_other_orders_of_axes() -> None:
    """A node whose attributes follow gives on stored operands what is stored of its outputs."""
    for graph in nodes_alone():
        (node,), arrays = graph.nodes, operands(graph)
        rank = len(graph.shape(node.name))
        if OPS[node.op].follows is None or any(a.ndim != rank for a in arrays):
            continue
        want = results(graph, arrays)
        for perm in list(permutations(range(rank)))[1:4]:
            values = {name: replace(v, shape=unpermute(v.shape, perm))
                      for name, v in graph.values.items()}
            moved = replace(node, attrs=follow(node.attrs, perm))
            stored, order = replace(graph, nodes=(moved,), values=values), np.argsort(perm)
            made = results(stored, [a.transpose(order) for a in arrays])
            for got, whole in zip(made, want, strict=True):
                np.testing.assert_allclose(got, whole.transpose(order), rtol=1e-12, atol=1e-12,
                                           err_msg=f"{node.op} {perm}")
