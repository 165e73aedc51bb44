"""Folds a scale s and a shift t per channel into weights W and bias b, computed in float64.

Behind the operator, y * s + t gives the weights W * s and the bias b * s + t. Before it, x * s + t
gives the weights W * s and the bias b + sum(W * t). The sum runs over the inputs of each output.

1. Behind a convolution or matmul: a pointwise operator that is affine in its result, with constants
   per output channel (batch normalization, scale, bias). Chains fold one by one.
2. Before a convolution: the same with constants per input channel. With a shift it folds only if
   the convolution pads no zeros, since a padded zero would have to be shifted too.
3. Before a matmul: the same with constants per element of the summed axis. With a shift it folds
   only if the weights have rank 2.
4. Weights that several operators share, or that are computed, stay as they are.
"""

from collections.abc import Callable

import numpy as np

from ..graph.expr import evaluate
from ..graph.graph import Graph, Node
from ..ops.attrs import Product, epilogue_of
from ..ops.conv import Conv2d
from ..ops.matmul import MatMul
from ..ops.pointwise import Pointwise
from .algebra import affine, is_unsteady
from .draft import Draft


def fold_affine(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        if isinstance(node.attrs, Pointwise):
            node = _behind(draft, node, note) or node
        elif isinstance(node.attrs, Product):
            node = _before(draft, node, note)
        draft.keep(node)
    return draft.finish()


def _behind(draft: Draft, node: Node, note: Callable[[str, str], None]) -> Node | None:
    """Case 1: the operator that replaces the producer and `node`; None if they stay apart."""
    found = _affine_parts(draft, node)
    host = draft.sole(found[0], Product) if found else None
    if found is None or host is None or draft.shape(host.name) != draft.shape(node.name):
        return None
    x, weights, bias, *extras = host.inputs
    if extras or epilogue_of(host) is not None:
        return None
    reason = _obstacle(draft, host)
    if reason:
        note(f"%{node.name}", f"is not folded into {host.op} %{host.name}: {reason}")
        return None
    _, scale, shift = found
    w, b = (draft.constants[n].astype(np.float64) for n in (weights, bias))
    names = _constants(draft, host, w * scale, b * scale + shift)
    return Node(host.attrs, (x, *names), node.outputs)


def _before(draft: Draft, node: Node, note: Callable[[str, str], None]) -> Node:
    """Cases 2 and 3: `node` with its producer folded in, or `node` itself."""
    maker = draft.sole(node.inputs[0], Pointwise)
    found = _affine_parts(draft, maker) if maker else None
    if maker is None or found is None or draft.shape(found[0]) != draft.shape(maker.name):
        return node
    (source, scale, shift), attrs = found, node.attrs
    reason = _obstacle(draft, node)
    if not reason and shift.any():
        if isinstance(attrs, Conv2d) and any(attrs.pads) and attrs.pad_mode == "zero":
            reason = "the padding would have to be shifted too"
        elif isinstance(attrs, MatMul) and len(draft.shape(node.inputs[1])) > 2:
            reason = "the shift differs between the products of the batch"
    if reason:
        note(f"%{maker.name}", f"is not folded into {node.op} %{node.name}: {reason}")
        return node
    w, b = (draft.constants[n].astype(np.float64) for n in node.inputs[1:3])
    across = _per_weight(node, w, scale), _per_weight(node, w, shift)
    b = b + (w * across[1]).sum(axis=tuple(range(w.ndim - 1)))
    names = _constants(draft, node, w * across[0], b)
    return Node(attrs, (source, *names, *node.inputs[3:]), node.outputs)


def _per_weight(node: Node, w: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Numbers per input channel in a shape that multiplies `w`: [C/groups, O] for a convolution,
    [K, 1] for a matmul."""
    if isinstance(node.attrs, MatMul):
        return channels[:, None]
    groups = Conv2d.of(node).groups
    return np.repeat(channels.reshape(groups, -1).T, w.shape[-1] // groups, axis=1)


def _affine_parts(draft: Draft, node: Node) -> tuple[str, np.ndarray, np.ndarray] | None:
    """(source, scale[C], shift[C]) with `node` = source * scale + shift per channel; None if
    `node` is something else."""
    expr = Pointwise.of(node).expr
    computed = [i for i, n in enumerate(node.inputs) if n not in draft.constants]
    if len(computed) != 1 or is_unsteady(expr):
        return None
    parts = affine(expr, computed[0])
    channels = draft.shape(node.name)[-1:]
    constants = [n for i, n in enumerate(node.inputs) if i not in computed]
    if parts is None or not channels or any(
            not _is_per_channel(draft.shape(n), channels) for n in constants):
        return None
    arrays = [draft.constants[n].astype(np.float64).reshape(draft.shape(n)[-1:])
              if n in draft.constants else np.float64(0) for n in node.inputs]
    scale, shift = (np.broadcast_to(evaluate(p, arrays), channels) for p in parts)
    return node.inputs[computed[0]], scale, shift


def _is_per_channel(shape: tuple[int, ...], channels: tuple[int, ...]) -> bool:
    return all(n == 1 for n in shape[:-1]) and shape[-1:] in ((), (1,), channels)


def _obstacle(draft: Draft, node: Node) -> str:
    """Why nothing folds into the weights of `node`; "" if something can."""
    if any(n not in draft.constants for n in node.inputs[1:3]):
        return "its weights are computed"
    if draft.uses[node.inputs[1]] > 1:
        return "its weights are shared"
    return ""


def _constants(draft: Draft, node: Node, w: np.ndarray, b: np.ndarray) -> tuple[str, str]:
    """The names of the new weights and bias of `node`."""
    names = draft.constant(node.inputs[1], w), draft.constant(node.inputs[2], b)
    draft.uses.update(names)
    return names
