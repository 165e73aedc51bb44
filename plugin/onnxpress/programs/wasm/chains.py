"""The convolutions that run as a chain, so that the values between them never lie in memory as a
whole.

Chains are inverted residual blocks (expand, depthwise, project) and parts of them, where the values
between are large.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, section 5.1,
for the blocks and the memory of their inner values.
"""

from math import prod

from ...graph.graph import Graph, Node
from ...kernels.conv2d.wasm import algorithm
from ...kernels.conv2d.wasm.chain import seen
from ...kernels.conv2d.wasm.conv import Algorithm, conv_in
from ...kernels.conv2d.wasm.depthwise import DEPTHWISE
from ...kernels.conv2d.wasm.product import PRODUCT
from ...ops.conv import OWN, Conv2d, Conv2dChain

# Bytes of the values between links, from which on caches do not hold them. Measured: decision 18.
LARGE = 3 << 20


def fuse_chains(graph: Graph) -> Graph:
    """The graph with chains in place of their links, where chains pay."""
    made, users = graph.producers(), graph.consumers()
    chains: dict[str, tuple[Node, ...]] = {}  # last link -> all links
    taken: set[str] = set()

    def between(name: str) -> bool:
        """Whether exactly one node reads the value, and reads it once."""
        return (name not in graph.outputs and len(users[name]) == 1
                and users[name][0].inputs.count(name) == 1)

    for node in graph.nodes:
        if not _slides(node, graph):
            continue
        before = made.get(node.inputs[0])
        after = users[node.name][0] if between(node.name) else None
        links = [node]
        if (before and before.name not in taken and between(before.name) and _mixes(before, graph)
                and not _residual(before, graph) and _rings(node, graph)):
            links.insert(0, before)
        if (after and after.inputs[0] == node.name and _mixes(after, graph)
                and not _residual(node, graph)):
            links.append(after)
        if sum(4 * prod(graph.shape(link.name)) for link in links[:-1]) > LARGE:
            chains[links[-1].name] = tuple(links)
            taken.update(link.name for link in links)
    nodes = [_chain(chains[n.name]) if n.name in chains else n for n in graph.nodes
             if n.name in chains or n.name not in taken]
    return graph.rebuild(nodes)


def _slides(node: Node, graph: Graph) -> bool:
    return (isinstance(node.attrs, Conv2d) and conv_in(graph, node).constant
            and _algorithm(node, graph) is DEPTHWISE)


def _mixes(node: Node, graph: Graph) -> bool:
    """Whether the node is a 1x1 convolution of all pixels."""
    if not isinstance(node.attrs, Conv2d) or not (v := conv_in(graph, node)).constant:
        return False
    return (_algorithm(node, graph) is PRODUCT
            and (v.kh, v.kw, v.groups, v.strides, any(v.pads)) == (1, 1, 1, (1, 1), False))


def _algorithm(node: Node, graph: Graph) -> Algorithm:
    return algorithm(node, conv_in(graph, node))


def _residual(node: Node, graph: Graph) -> bool:
    """Whether the epilogue reads an operand at the output's addresses, which a value inside a chain
    does not have."""
    return any(graph.shape(name) == graph.shape(node.name) for name in node.inputs[OWN:])


def _rings(node: Node, graph: Graph) -> bool:
    """Whether only zeros surround the image, and every window holds a pixel of it."""
    v = conv_in(graph, node)
    return Conv2d.of(node).pad_mode == "zero" and v.pads[0] < seen(v, 1)


def _chain(links: tuple[Node, ...]) -> Node:
    operands = (name for link in links for name in link.inputs[1:])
    return Node(Conv2dChain(links=links), (links[0].inputs[0], *operands), links[-1].outputs)
