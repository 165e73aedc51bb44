"""Graph -> the same graph in which every node's operands fit the storage buffers of one shader.

WebGPU guarantees eight, one of which is the output and one may be a temporary or a weight's scale.
"""

from dataclasses import replace

from ...emit.wgsl.shader import MAX_BUFFERS
from ...graph.expr import Expr, inp, input_indices, substitute
from ...graph.graph import Graph, Node, Value
from ...ops import own_operands
from ...ops.attrs import WithEpilogue
from ...ops.pointwise import Pointwise

MOST_POINTWISE = MAX_BUFFERS - 1
MOST_WITH_EPILOGUE = MAX_BUFFERS - 2


def fit_operands(graph: Graph) -> Graph:
    """The graph whose nodes have no more operands than a shader can bind."""
    values = dict(graph.values)
    nodes: list[Node] = []
    for node in graph.nodes:
        most = _most(node)
        if len(node.inputs) <= most:
            nodes.append(node)
        elif isinstance(node.attrs, Pointwise):
            nodes += _hoist(node, values)
        else:
            plain, rest = _detach(node, values)
            nodes += [plain, *(_hoist(rest, values) if len(rest.inputs) > most else [rest])]
    return graph.rebuild(nodes, values)


def _most(node: Node) -> int:
    """The most operands that a shader of this node can bind."""
    if isinstance(node.attrs, Pointwise):
        return MOST_POINTWISE
    return MOST_WITH_EPILOGUE if isinstance(node.attrs, WithEpilogue) else len(node.inputs)


def _detach(node: Node, values: dict[str, Value]) -> tuple[Node, Node]:
    """(the node without its epilogue, the epilogue as a pointwise node)"""
    own, expr = own_operands(node), WithEpilogue.of(node).epilogue or inp(0)
    name = f"{node.name}@plain"
    values[name] = values[node.name]
    plain = replace(node, inputs=node.inputs[:own], outputs=(name,)).with_attrs(epilogue=None)
    return plain, Node(Pointwise(expr=expr), (name, *node.inputs[own:]), node.outputs)


def _hoist(node: Node, values: dict[str, Value]) -> list[Node]:
    """Pointwise nodes: subexpressions of several inputs become nodes until each node fits."""
    inputs, expr, done = list(node.inputs), Pointwise.of(node).expr, []
    while len(input_indices(expr)) > MOST_POINTWISE:
        part = _fitting(expr)
        used = sorted(input_indices(part))
        name = f"{node.name}@{len(done)}"
        values[name] = values[node.name]
        done.append(_pointwise([inputs[i] for i in used], part, used, name))
        inputs.append(name)
        expr = _replaced(expr, part, inp(len(inputs) - 1))
    used = sorted(input_indices(expr))
    return [*done, _pointwise([inputs[i] for i in used], expr, used, node.name)]


def _pointwise(names: list[str], expr: Expr, used: list[int], out: str) -> Node:
    """The node of `expr`, whose inputs `used` become inputs 0, 1, ..."""
    places = {old: inp(new) for new, old in enumerate(used)}
    expr = substitute(expr, [places.get(i, inp(i)) for i in range(max(used) + 1)])
    return Node(Pointwise(expr=expr), tuple(names), (out,))


def _fitting(expr: Expr) -> Expr:
    """The subexpression with the most inputs that still fits. It lies below one that does not fit,
    so it has two inputs or more."""
    widest = max(expr.args, key=lambda a: len(input_indices(a)))
    fits = len(input_indices(widest)) <= MOST_POINTWISE
    return widest if fits else _fitting(widest)


def _replaced(expr: Expr, old: Expr, new: Expr) -> Expr:
    if expr == old:
        return new
    if not expr.args:
        return expr
    return Expr(expr.op, tuple(_replaced(a, old, new) for a in expr.args), expr.value)
