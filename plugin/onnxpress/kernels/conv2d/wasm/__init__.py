"""conv2d in WebAssembly: the algorithm for a node, its needs and its code.

Convolutions with computed weights run as a product or a vector. Nodes with the attribute `exact`
avoid Winograd's algorithm, which rounds. Nodes with the attribute `dot` run on whole numbers.
"""

from ....emit.layout import Needs, Step, Want, dot_packings, dot_wants
from ....emit.wasm.emitter import Emitter
from ....graph.graph import Graph, Node
from ....graph.storage import Dot
from ....ops.conv import OWN, Conv2d, Conv2dChain
from . import chain as wasm_chain
from .conv import Algorithm, Conv, conv_in, conv_of
from .depthwise import DEPTHWISE
from .product import DOT, PRODUCT
from .spread import SPREAD
from .vector import VECTOR
from .winograd import MADD, WINOGRAD, time

# The first algorithm that is worthwhile runs.
ALGORITHMS = (DEPTHWISE, VECTOR, WINOGRAD, SPREAD, PRODUCT)
FOR_COMPUTED_WEIGHTS = (VECTOR, PRODUCT)
# Time of a depthwise multiply-add, in units of a product's: one of its two operands is loaded each
# time. Chosen by trial.
SLIDING = 2.0


def algorithm(node: Node, v: Conv) -> Algorithm:
    """The algorithm that runs `node`, a convolution of geometry `v`."""
    attrs = Conv2d.of(node)
    if attrs.dot:
        return DOT[attrs.dot.x.kind]
    algorithms = ALGORITHMS if v.constant else FOR_COMPUTED_WEIGHTS
    return next(a for a in algorithms
                if a.worthwhile(v) and not (attrs.exact and a is WINOGRAD))


def needs(node: Node, graph: Graph) -> Needs:
    """A halo of x for the windows, packed weights, and scratch."""
    if isinstance(node.attrs, Conv2dChain):
        return wasm_chain.needs(node, graph)
    v, out = conv_in(graph, node), graph.shape(node.name)
    how = algorithm(node, v)
    dot = Conv2d.of(node).dot or Dot()
    return Needs(
        inputs={0: how.want(node, v, dot.x), **dot_wants(dot, OWN)},
        output=Want(align=4, storage=dot.out),
        packings={1: how.packing(v), **dot_packings(dot, v.o)} if v.constant else {},
        scratch=how.scratch(v),
        same=tuple(i for i, name in enumerate(node.inputs[OWN:], OWN) if graph.shape(name) == out),
    )


def work(node: Node, graph: Graph) -> float:
    """Estimated time of `node` in f32; the unit is one multiply-add in one SIMD lane of PRODUCT."""
    v = conv_in(graph, node)
    how = algorithm(node, v)
    if how is WINOGRAD:
        return time(v) / MADD
    slower = SLIDING if how is DEPTHWISE else 1.0
    return slower * v.n * v.oh * v.ow * v.kh * v.kw * v.c * v.o / v.groups


def emit(step: Step, program: Emitter) -> None:
    if isinstance(step.node.attrs, Conv2dChain):
        wasm_chain.emit(step, program)
        return
    x, w = step.inputs[:2]
    v = conv_of(step.node, x.shape, w.shape, step.outputs[0].shape, w.packing is not None)
    algorithm(step.node, v).emit(step, v, program)
