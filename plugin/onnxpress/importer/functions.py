"""Functions: operators that a model, or ONNX itself, defines by other operators."""

from collections.abc import Iterable

from onnx import AttributeProto, ModelProto, NodeProto, helper, inliner, shape_inference

from ..errors import ModelError, UnsupportedError
from .lowerings import LOWERINGS
from .nodes import DOMAINS, all_nodes, check_attributes, guarded, is_function, schema_of

MOST_NODES = 1_000_000  # of a model without functions; a function may call others twice, and so on


def require_few(model: ModelProto) -> None:
    """That the model has at most MOST_NODES nodes once its functions are inlined.

    Raises:
        ModelError: a function calls itself, or there are more.
    """
    bodies = {(f.domain, f.name, f.overload): f.node for f in model.functions}
    called = {key: [(n.domain, n.op_type, n.overload) for n in all_nodes(nodes)]
              for key, nodes in bodies.items()}
    sizes: dict[tuple[str, str, str], int] = {}
    waiting = set(bodies)
    while waiting:
        ready = [key for key in waiting if not waiting.intersection(called[key])]
        if not ready:
            name = min(waiting)[1]
            raise ModelError(f'the function "{name}" calls itself; export the model without it')
        for key in ready:
            sizes[key] = sum(sizes.get(inner, 1) for inner in called[key])
        waiting.difference_update(ready)
    count = sum(sizes.get((n.domain, n.op_type, n.overload), 1)
                for n in all_nodes(model.graph.node))
    if count > MOST_NODES:
        raise ModelError(f"with its functions inlined, the model has {count:.3g} nodes; "
                         f"there may be {MOST_NODES:,}")


def inline_functions(model: ModelProto, opset: int) -> ModelProto:
    """The model without functions.

    Its own functions are inlined. So are operators that have no lowering here, if ONNX defines them
    by other operators. The inliner passes on only the attributes that a node writes, so the others'
    defaults are written first.
    """
    if model.functions:
        model = guarded("the model's functions", _inline_own_functions, model)
    ours = {n.op_type for n in model.graph.node if n.domain in DOMAINS} - LOWERINGS.keys()
    defined = [op for op in sorted(ours) if is_function(schema_of(op, opset))]
    if not defined:
        return model
    for node in model.graph.node:
        schema = schema_of(node.op_type, opset)
        if node.op_type in defined and schema is not None:
            check_attributes(node, opset)
            _write_defaults(node, (a.default_value for a in schema.attributes.values()))
    try:
        return inliner.inline_selected_functions(_typed(model), [("", op) for op in defined], False,
                                                 True)
    except Exception as error:  # onnx's own exceptions share no class
        raise UnsupportedError(f"{', '.join(defined)}: ONNX defines this operator by others, but "
                               "cannot do so for these inputs; export the model without it"
                               ) from error


def _inline_own_functions(model: ModelProto) -> ModelProto:
    """The model with its own functions inlined."""
    defaults = {(f.domain, f.name, f.overload): f.attribute_proto for f in model.functions}
    for nodes in (model.graph.node, *(f.node for f in model.functions)):
        for node in all_nodes(nodes):
            _write_defaults(node, defaults.get((node.domain, node.op_type, node.overload), ()))
    return inliner.inline_local_functions(model)


def _write_defaults(node: NodeProto, defaults: Iterable[AttributeProto]) -> None:
    """Adds to the node the attributes with a default that it leaves out."""
    written = {a.name for a in node.attribute}
    node.attribute.extend(a for a in defaults
                          if a.type != AttributeProto.UNDEFINED and a.name not in written)


def _typed(model: ModelProto) -> ModelProto:
    """The model with the type of every value. Some functions' bodies depend on these types."""
    typed = shape_inference.infer_shapes(model)
    known = {i.name for i in typed.graph.input}
    typed.graph.value_info.extend(
        helper.make_tensor_value_info(w.name, w.data_type, list(w.dims))
        for w in typed.graph.initializer if w.name not in known)
    return typed
