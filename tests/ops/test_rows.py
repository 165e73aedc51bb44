"""An operator's row: it states every property, and states the truth. The nodes come from the table
of cases, so a new operator is checked as soon as it has a case."""

from dataclasses import MISSING, fields, replace
from itertools import permutations

import numpy as np
import pytest
from onnxpress.graph.graph import Graph
from onnxpress.ops import OPS, Op, alias_start, bound, follow
from onnxpress.passes.axes import unpermute
from support.cases import IN_CASES, nodes_alone
from support.graphs import sample_inputs

every_operator = pytest.mark.parametrize("op", IN_CASES)


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


@every_operator
def test_outputs_are_as_many_as_the_row_names(op: str) -> None:
    """Every operator has a case; its outputs have the shapes that the row infers."""
    assert nodes_alone(op)
    for graph in nodes_alone(op):
        (node,) = graph.nodes
        made = results(graph, operands(graph))
        assert len(made) == len(node.outputs) == len(OPS[op].outputs)
        assert [a.shape for a in made] == [graph.shape(name) for name in node.outputs]
        assert (OPS[op].own or 0) <= len(node.inputs)


@every_operator
def test_what_picks_makes_no_other_elements(op: str) -> None:
    for graph in nodes_alone(op):
        (node,) = graph.nodes
        if OPS[op].picks(node):
            arrays = operands(graph)
            known = np.concatenate([np.ravel(a) for a in arrays])
            assert all(np.isin(made, known).all() for made in results(graph, arrays))


@every_operator
def test_an_alias_is_the_operand_from_some_element_on(op: str) -> None:
    for graph in nodes_alone(op):
        (node,), arrays = graph.nodes, operands(graph)
        start = alias_start(node, arrays[0].shape, graph.shape(node.name))
        if start is not None:
            (made,) = results(graph, arrays)
            np.testing.assert_array_equal(made.ravel(), arrays[0].ravel()[start:][: made.size])


@every_operator
def test_attributes_follow_other_orders_of_axes(op: str) -> None:
    """A node whose attributes follow gives on stored operands what is stored of its outputs."""
    for graph in nodes_alone(op):
        (node,), arrays = graph.nodes, operands(graph)
        rank = len(graph.shape(node.name))
        if OPS[op].follows is None or any(a.ndim != rank for a in arrays):
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
                                           err_msg=str(perm))
