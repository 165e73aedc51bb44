"""Which operators can take a pointwise reader as their epilogue."""

from ..graph.graph import Node
from .draft import Draft

HOSTS = {"conv2d": 3, "matmul": 3, "normalize": 3}  # operator -> its own operands
MAX_EXTRAS = 6


def is_extra(shape: tuple[int, ...], out: tuple[int, ...]) -> bool:
    """Whether an operand is of the output's shape or one number per channel of it."""
    per_channel = shape[-1:] == out[-1:] and all(n == 1 for n in shape[:-1])
    return shape == out or (per_channel and len(shape) <= len(out))


def hosts(draft: Draft, node: Node) -> list[Node]:
    """The producers that could run the pointwise `node` as their epilogue, in program order."""
    out = draft.shape(node.name)
    found = []
    for name in dict.fromkeys(node.inputs):
        maker = draft.sole(name, tuple(HOSTS))
        others = [n for n in node.inputs if n != name]
        if maker is None or draft.shape(name) != out:
            continue
        extras = len(maker.inputs) - HOSTS[maker.op] + len(others)
        if extras <= MAX_EXTRAS and all(is_extra(draft.shape(n), out) for n in others):
            found.append(maker)
    return sorted(found, key=draft.nodes.index)
