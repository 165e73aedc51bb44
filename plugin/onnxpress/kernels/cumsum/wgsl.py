"""cumsum on WebGPU: an invocation for each column; a workgroup where columns are long and few."""

from math import prod

from ...emit.wgsl.device import Device
from ...emit.wgsl.shader import LANES, Dispatch, Port, dispatch
from ...graph.graph import Graph, Node
from ...ops.cumsum import CumSum

GROUP = 256  # invocations that share a column
SHORT = 64  # elements that one invocation sums in any case
MANY = 4096  # columns that fill a GPU with an invocation each


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    cumsum, shape = CumSum.of(node), graph.shape(node.name)
    length, inner = shape[cumsum.axis], prod(shape[cumsum.axis + 1 :])
    columns = prod(shape) // length
    alone = length <= SHORT or columns >= MANY
    template, lanes, groups = (("cumsum/shader.wgsl", LANES, -(-columns // LANES)) if alone
                               else ("cumsum/scan.wgsl", GROUP, columns))
    return [dispatch(template, [Port("x", node.inputs[0], shape)],
                     [Port("out", node.name, shape)], groups, lanes=lanes, columns=columns,
                     length=length, inner=inner, exclusive=cumsum.exclusive,
                     reverse=cumsum.reverse)]
