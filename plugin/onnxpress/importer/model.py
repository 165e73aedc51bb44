"""ONNX -> Graph: static shapes, NHWC images, f32 weights. Opset differences end here.

The nodes that the outputs need are lowered one after the other, by the functions of
importer/lowerings.py. Values that depend on constants alone are computed on the way.
"""

import re
from collections import ChainMap, Counter
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    defs,
    numpy_helper,
)

from ..errors import ModelError, UnsupportedError, did_you_mean
from ..graph.graph import Graph, Value, check
from .builder import Builder
from .call import DTYPES, OTHER_DTYPES, Call
from .functions import inline_functions
from .lowerings import LOWERINGS
from .nodes import DOMAINS, all_nodes, check_attributes, guarded, node_name, schema_of

# The newest is the last whose changes were read. The `onnx` package may know newer ones.
OPSETS = range(7, 29)
UNROLL = "loops are not supported; unroll it when exporting the model"
ADVICE = {
    **dict.fromkeys(("Loop", "Scan"), UNROLL),
    **dict.fromkeys(("LSTM", "GRU", "RNN"),
                    "recurrent layers are not supported; export their steps one by one"),
}
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
Env = MutableMapping[str, str]  # the model's name for a value -> ours


def import_model(model: ModelProto, shapes: Mapping[str, tuple[int, ...]] | None = None,
                 arrays: Mapping[str, np.ndarray] | None = None) -> Graph:
    """The graph of `model`. `shapes` fixes dynamic dimensions of inputs; `arrays` are the weights
    that the model names but does not hold.

    Inputs and outputs keep the model's names, shapes and types.

    Raises:
        ModelError: the model is malformed, or an input's shape is not known.
        UnsupportedError: an operator, attribute or type cannot be compiled.
    """
    _check_text(model.graph)
    opset = _opset(model)
    model = inline_functions(model, opset)
    graph = model.graph
    weights = _weights(graph, arrays or {})
    free = [i for i in graph.input if i.name not in weights]
    inputs, outputs = [i.name for i in free], [o.name for o in graph.output]
    if not outputs:
        raise ModelError("the model has no outputs")
    for kind, names in (("inputs", inputs), ("outputs", outputs)):
        twice = next((n for n, count in Counter(names).items() if count > 1), None)
        if twice is not None:
            raise ModelError(f'two {kind} of the model are named "{twice}"; rename one of them')
    stray = next((n for n in shapes or {} if n not in inputs), None)
    if stray is not None:
        raise ModelError(f'a shape is given for "{stray}", which is not an input of the model; '
                         f"its inputs are {', '.join(inputs)}.{did_you_mean(stray, inputs)}")
    made = {o for n in graph.node for o in n.output}
    builder = Builder({*made, *weights, *inputs})
    env: Env = {name: builder.constant(array, name) for name, array in weights.items()}
    for info in free:
        env[info.name] = builder.input(info.name, _input(info, (shapes or {}).get(info.name)))
    _lower(graph.node, outputs, env, builder, opset)
    return check(_finish(builder, inputs, outputs, env))


def _opset(model: ModelProto) -> int:
    versions = [o.version for o in model.opset_import if o.domain in DOMAINS]
    others = [o.domain for o in model.opset_import]
    if others and not versions:
        raise UnsupportedError(f'all operators are of the domain "{others[0]}", which is not '
                               "supported; export the model with standard ONNX operators")
    if not versions:
        raise ModelError("the model names no opset; it is not an ONNX model, or it is cut short")
    opset, newest = versions[0], max(OPSETS[-1], defs.onnx_opset_version())
    if not OPSETS[0] <= opset <= newest:
        raise UnsupportedError(f"opset {opset} is not supported; convert the model to an opset "
                               f"from {OPSETS[0]} to {newest}")
    for node in all_nodes(model.graph.node):
        schema = schema_of(node.op_type, opset) if node.domain in DOMAINS else None
        if schema is not None and schema.since_version > OPSETS[-1]:
            raise UnsupportedError(
                f'{node.op_type} node "{node_name(node)}": opset {schema.since_version} changed '
                f"this operator; convert the model to opset {OPSETS[-1]}")
    return opset


def _check_text(graph: GraphProto) -> None:
    """Refuses names that are not UTF-8, which protobuf hands over as bytes, and names with line
    breaks or other control characters."""
    names = [v.name for v in (*graph.input, *graph.output, *graph.initializer)]
    for node in all_nodes(graph.node):
        names += (node.name, node.op_type, node.domain, *node.input, *node.output)
        names += (a.name for a in node.attribute)
    odd = next((n for n in names if not isinstance(n, str)), None)
    if odd is not None:
        raise ModelError(f"the name {odd!r} is not UTF-8; the model file is damaged")
    odd = next((n for n in names if CONTROL.search(n)), None)
    if odd is not None:
        raise ModelError(f'the name "{odd}" holds a line break or another control character; '
                         "rename it when exporting the model")


def _weights(graph: GraphProto, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Initializers by name. Before IR version 4, models list them as inputs too."""
    if graph.sparse_initializer:
        raise UnsupportedError("sparse weights are not supported; store them as dense tensors")
    return {t.name: arrays[t.name] if t.name in arrays else _array(t, f'weights "{t.name}"')
            for t in graph.initializer}


def _array(tensor: TensorProto, where: str) -> np.ndarray:
    if tensor.data_location == TensorProto.EXTERNAL:
        raise ModelError(f"{where} lie in an external file that was not loaded; store the model "
                         "with its weights in one file")
    _dtype(tensor.data_type, where)
    return guarded(where, numpy_helper.to_array, tensor)


def _dtype(code: int, where: str) -> str:
    if code not in DTYPES:
        kind = OTHER_DTYPES.get(code, f"number {code}")
        raise UnsupportedError(f"{where}: the type {kind} is not supported; convert it to float")
    return DTYPES[code]


def _input(info: ValueInfoProto, fixed: Sequence[int] | None) -> Value:
    """The facts of an input. `fixed` must agree with the dimensions that the model states."""
    where = f'input "{info.name}"'
    if info.type.WhichOneof("value") != "tensor_type":
        raise UnsupportedError(f"{where} is no tensor; sequences, maps and optionals are not "
                               "supported")
    tensor = info.type.tensor_type
    dtype = _dtype(tensor.elem_type, where)
    dims = [d.dim_value if d.HasField("dim_value") else d.dim_param or "?"
            for d in tensor.shape.dim]
    if fixed is not None:
        fixed = tuple(int(n) for n in fixed)
        agrees = len(dims) == len(fixed) and all(
            isinstance(d, str) or d == n for d, n in zip(dims, fixed, strict=True))
        if tensor.HasField("shape") and not agrees:
            raise ModelError(f"{where} has the shape {_times(dims)}; {_times(fixed)} does not fit")
        dims = list(fixed)
    elif not tensor.HasField("shape"):
        raise ModelError(f"{where} has no shape; pass --shape {info.name}=1x3x224x224 or what "
                         "the model expects")
    shape: list[int] = []
    for axis, dim in enumerate(dims):
        if isinstance(dim, str):
            guess = [(1 if i == 0 else 3 if i == 1 else 224) if isinstance(d, str) else d
                     for i, d in enumerate(dims)]
            raise ModelError(f"{where}: dimension {axis} ({dim}) is dynamic; fix the shape, for "
                             f"example --shape {info.name}={_times(guess)}")
        if dim < 1:
            raise ModelError(f"{where}: dimension {axis} is {dim}; it must be 1 at least")
        shape.append(dim)
    return Value(tuple(shape), dtype)


def _times(dims: Iterable[Any]) -> str:
    return "x".join(map(str, dims)) or "a scalar"


def _lower(nodes: Sequence[NodeProto], outputs: Sequence[str], env: Env, builder: Builder,
           opset: int, inner: bool = False) -> None:
    """Lowers the `nodes` that `outputs` need, in order, and adds their names to `env`."""
    live, used = _live(nodes, outputs)
    for node in live:
        call = _decode(node, env, used, opset)
        builder.begin(call)
        if node.op_type == "If":
            results = _branch(node, call, env, builder)
        else:
            results = _apply(call, builder)
        for name, result in zip(call.outputs, results, strict=False):
            if name and result:
                env[name] = builder.bind(result, name, inner)
    for name in outputs:
        if name not in env:
            raise ModelError(f'output "{name}" is made by no node')


def _live(nodes: Sequence[NodeProto], outputs: Sequence[str]) -> tuple[list[NodeProto], set[str]]:
    """(the nodes that `outputs` depend on, in order, every name that they read)"""
    used, live = set(outputs), []
    for node in reversed(nodes):
        if used.intersection(node.output) - {""}:
            live.append(node)
            used.update(_reads(node))
    return live[::-1], used


def _reads(node: NodeProto) -> set[str]:
    """The names that the node reads, and that its subgraphs read."""
    names, stack = set(), [node]
    while stack:
        at = stack.pop()
        names.update(at.input)
        for attribute in at.attribute:
            stack.extend(attribute.g.node)
            names.update(o.name for o in attribute.g.output)
    return names


def _decode(node: NodeProto, env: Env, used: set[str], opset: int) -> Call:
    name = node_name(node)
    outputs = tuple(o if o in used else "" for o in node.output)
    call = Call(node.op_type, name, opset, tuple(node.input), outputs, {})
    if node.domain not in DOMAINS:
        raise UnsupportedError(f'{node.op_type} node "{name}": operators of the domain '
                               f'"{node.domain}" are not supported; export the model with '
                               "standard ONNX operators")
    for source in node.input:
        if source and source not in env:
            raise call.bad(f'it reads "{source}", which no node before it makes')
    again = next((o for o in outputs if o and o in env), None)
    if again is not None:
        raise call.bad(f'it makes "{again}" a second time')
    check_attributes(node, opset)
    attrs = {a.name: _attribute(a, call) for a in node.attribute}
    return replace(call, inputs=tuple(env[i] if i else "" for i in node.input), attrs=attrs)


def _attribute(attribute: AttributeProto, call: Call) -> Any:
    """A number, string, array or list of these. A graph stays as it is."""
    kinds = AttributeProto
    match attribute.type:
        case kinds.FLOAT:
            return attribute.f
        case kinds.INT:
            return attribute.i
        case kinds.STRING:
            return attribute.s.decode("utf-8", "replace")
        case kinds.FLOATS:
            return list(attribute.floats)
        case kinds.INTS:
            return list(attribute.ints)
        case kinds.TENSOR:
            return _array(attribute.t, f'{call.where}: attribute "{attribute.name}"')
        case kinds.GRAPH:
            return attribute.g
    # Attribute types that no supported operator reads stay undecoded. Reading one is an error.
    return attribute


def _apply(call: Call, builder: Builder) -> tuple[str, ...]:
    lowering = LOWERINGS.get(call.op)
    if lowering is None:
        advice = ADVICE.get(call.op, "this operator is not supported")
        near = "" if call.op in ADVICE else did_you_mean(call.op, list(LOWERINGS))
        raise call.refused(f"{advice}.{near.replace('Did you mean', 'The nearest that is:')}"
                           .replace('"?', '".'))
    results = guarded(call.where, lowering, builder, call)
    return (results,) if isinstance(results, str) else results


def _branch(node: NodeProto, call: Call, env: Env, builder: Builder) -> tuple[str, ...]:
    """The branch of an If that a constant condition takes, lowered in place of the If."""
    condition = builder.array(call.input(0))
    if condition is None or condition.size != 1:
        raise call.refused("its condition is computed at run time; it must be a constant")
    graph = call.attrs.get("then_branch" if condition.reshape(-1)[0] else "else_branch")
    if not isinstance(graph, GraphProto):
        raise call.bad("it lacks a branch")
    weights = {name: builder.constant(array) for name, array in _weights(graph, {}).items()}
    scope: Env = ChainMap(weights, env)  # type: ignore[arg-type]
    names = [o.name for o in graph.output]
    _lower(graph.node, names, scope, builder, call.opset, inner=True)
    builder.begin(call)
    return tuple(scope[n] for n in names)


def _finish(builder: Builder, inputs: list[str], outputs: list[str], env: Env) -> Graph:
    """The graph, in which every output has the model's name for it."""
    for name in dict.fromkeys(outputs):
        builder.publish(env[name], name, (*inputs, *outputs))
    return builder.finish(inputs, outputs)
