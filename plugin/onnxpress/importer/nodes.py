"""Questions about a model's nodes, and the guard around whatever reads them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from onnx import NodeProto, defs

from ..errors import ModelError, OnnxPressError, did_you_mean

DOMAINS = ("", "ai.onnx")


def all_nodes(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """The nodes, and the nodes of their subgraphs."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        yield node
        stack.extend(n for a in node.attribute for n in a.g.node)


def node_name(node: NodeProto) -> str:
    return node.name or next((o for o in node.output if o), "?")


def schema_of(op: str, opset: int) -> defs.OpSchema | None:
    try:
        return defs.get_schema(op, opset)
    except defs.SchemaError:
        return None


def check_attributes(node: NodeProto, opset: int) -> None:
    """Refuses an attribute from another opset, which would be ignored silently."""
    schema = schema_of(node.op_type, opset)
    known = list(schema.attributes) if schema else [a.name for a in node.attribute]
    odd = next((a.name for a in node.attribute if a.name not in known), None)
    if odd is not None:
        raise ModelError(f'{node.op_type} node "{node_name(node)}": opset {opset} does not define '
                         f'its attribute "{odd}".{did_you_mean(odd, known)}')


def is_function(schema: defs.OpSchema | None) -> bool:
    """Whether ONNX defines the operator by other operators."""
    # onnx's type stubs leave out these two properties of OpSchema.
    return schema is not None and (
        schema.has_function  # pyright: ignore[reportAttributeAccessIssue]
        or schema.has_context_dependent_function)  # pyright: ignore[reportAttributeAccessIssue]


def guarded(where: str, function: Callable[..., Any], *args: Any) -> Any:
    """function(*args); an exception that malformed data causes becomes a ModelError."""
    try:
        return function(*args)
    except OnnxPressError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        said = str(error) if isinstance(error, ValueError) else f"it is malformed ({error!r})"
        raise ModelError(f"{where}: {said}") from error
