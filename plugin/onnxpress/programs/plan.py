"""Graph -> LinearPlan: every step, address and stride of a program in linear memory (wasm, js).

1. layouts.py chooses the layout of every value. A rank-4 NHWC value gets the halo and the alignment
   of channels that its readers want, so no kernel tests bounds.
2. unplaced.py lists the steps. Where a value has another layout than its reader wants, a copy step
   makes a second tensor of it.
3. addresses.py packs all tensors into one heap. Values share memory if they never live at once.

For example, y[1,2,3,8] = conv2d(x[1,2,3,3], w[3,3,3,8], b[8]) with pads 1 gives these steps
(emit/layout.py draws the tensor with a halo):

    fill_halo -> x@1z1_1_1_1f32       zeros around the copy of x
    copy x -> x@1z1_1_1_1f32          x is an input, so it is dense and cannot have a halo
    conv2d x@1z1_1_1_1f32 w@gemm0 b@raw1 -> y

and this heap. Numbers count f32 elements. x and y share memory, since x is not read after the copy:

    0        240     272             352        416                         512
    w@gemm0  b@raw1  x@1z1_1_1_1f32  x, then y  (used to load constants only)

The name of a copy holds its alignment (1 element) and the first letter of its halo's mode (zero).
Then come the halo's extent (1 row or pixel on each side) and the storage (f32).
"""

from ..emit.layout import LinearPlan
from ..graph.graph import Graph
from ..kernels import linear_kernel
from .addresses import with_addresses
from .layouts import choose_layouts, linear_alias_start
from .unplaced import Unplaced


def plan_linear(graph: Graph, target: str) -> LinearPlan:
    """The plan of `graph` for "wasm" or "js".

    Raises:
        PlanError: an operator has no kernel on `target`.
    """
    needs = {out: need for node in graph.nodes if linear_alias_start(node, graph) is None
             for need in [linear_kernel(node, target).needs(node, graph)] for out in node.outputs}
    unplaced = Unplaced(graph, *choose_layouts(graph, needs))
    for node in graph.nodes:
        start = linear_alias_start(node, graph)
        if start is not None:
            unplaced.alias(node.name, node.inputs[0], start)
        else:
            unplaced.add(node, needs[node.name])
    return with_addresses(unplaced, target)
