"""ONNX files that somebody has spoiled: random models with awkward shapes, changed one to three
times as a message, and then perhaps as bytes."""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import onnx
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxpress.compiler import Options, compile_model
from onnxpress.errors import fault_at
from onnxpress.manifest.manifest import read_manifest
from support.random_operators import sketch

from .mutator import LIMITS, Mutator
from .watch import CANARY

SKETCHES = 5000  # random models to begin with
INTS = (0, 1, -1, 2, 3, 5, 7, -2, 8, 16, 64, 255, 1000, 10**6, 2**31, 2**31 - 1, -2**31, 2**63 - 1,
        -2**63)
FLOATS = (0.0, -1.0, 0.5, 1e-30, 1e30, 3.4028235e38, float("nan"), float("inf"), -float("inf"))
STRINGS = (b"", b"SAME_UPPER", b"VALID", b"reflect", b"edge", b"wrap", b"cubic", b"nearest",
           b"\xff", b"ij,jk->ik", b"...i->i", b"relu", b"none")
NAMES = ("", "x", "y", "nope", "n" * 5000, "a\nb", "::error::pwned", "\x1b[2J", "../a", "ü\u202e",
         "__proto__", "constructor", "0", "a b", '"', "##[command]")
PLACES = ("data.bin", "link.bin", "linked/secret.bin", "../outside/secret.bin", "none", "", ".",
          "/etc/passwd", "a" * 5000, "a\0b", "data.bin/", "loop")
OPERATORS = tuple(sorted({schema.name for schema in onnx.defs.get_all_schemas()}))
LENGTHS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 64, 10**5, 2**31, 10**9, -1)

Draw = random.Random


def _attribute(draw: Draw, net: ModelProto) -> None:
    node = draw.choice(net.graph.node)
    if not node.attribute:
        return _operator(draw, net)
    found = draw.choice(node.attribute)
    match found.type:
        case AttributeProto.INT:
            found.i = draw.choice(INTS)
        case AttributeProto.FLOAT:
            found.f = draw.choice(FLOATS)
        case AttributeProto.STRING:
            found.s = draw.choice(STRINGS)
        case AttributeProto.INTS:
            found.ints[:] = [draw.choice(INTS) if draw.random() < 0.5 else n for n in found.ints]
            if draw.random() < 0.3:
                found.ints.append(draw.choice(INTS))
            elif found.ints and draw.random() < 0.3:
                del found.ints[draw.randrange(len(found.ints))]
        case _:
            found.type = draw.randrange(15)


def _another_type(draw: Draw, net: ModelProto) -> None:
    for found in draw.choice(net.graph.node).attribute:
        found.type = draw.randrange(15)


def _operator(draw: Draw, net: ModelProto) -> None:
    node = draw.choice(net.graph.node)
    node.op_type = draw.choice(OPERATORS)
    if draw.random() < 0.1:
        node.domain = draw.choice(("far", "ai.onnx.ml", "ai.onnx", "own"))


def _wires(draw: Draw, net: ModelProto) -> None:
    node = draw.choice(net.graph.node)
    ends = node.input if node.input and draw.random() < 0.7 else node.output
    known = [name for n in net.graph.node for name in (*n.input, *n.output)]
    if ends:
        ends[draw.randrange(len(ends))] = draw.choice([*known, "", "nope"])
    if draw.random() < 0.2:
        ends.append(draw.choice(known))


def _nodes(draw: Draw, net: ModelProto) -> None:
    nodes = net.graph.node
    at = draw.randrange(len(nodes))
    if draw.random() < 0.5 and len(nodes) > 1:
        del nodes[at]
    else:
        nodes.insert(draw.randrange(len(nodes) + 1), nodes[at])


def _port(draw: Draw, net: ModelProto) -> None:
    port = draw.choice([*net.graph.input, *net.graph.output])
    kind = port.type.tensor_type
    if draw.random() < 0.3:
        kind.elem_type = draw.randrange(26)
    elif kind.shape.dim and draw.random() < 0.8:
        one = draw.choice(kind.shape.dim)
        if draw.random() < 0.2:
            one.dim_param = draw.choice(NAMES)
        else:
            one.dim_value = draw.choice(LENGTHS)
    else:
        kind.shape.dim.add(dim_value=draw.choice(LENGTHS))


def _ports(draw: Draw, net: ModelProto) -> None:
    ports = draw.choice((net.graph.input, net.graph.output))
    if ports and draw.random() < 0.6:
        ports.append(draw.choice(ports))
    elif ports:
        del ports[draw.randrange(len(ports))]


def _weight(draw: Draw, net: ModelProto) -> None:
    if not net.graph.initializer:
        return _port(draw, net)
    tensor = draw.choice(net.graph.initializer)
    match draw.randrange(4):
        case 0:
            array = numpy_helper.to_array(tensor).copy()
            for i in range(array.size):
                if draw.random() < 0.4:
                    value = draw.choice(FLOATS if array.dtype.kind == "f" else INTS)
                    if array.dtype.kind not in "iu" or abs(value) < 2**7:
                        array.reshape(-1)[i] = value
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        case 1:
            tensor.dims[:] = [draw.choice(LENGTHS) for _ in range(draw.randrange(5))]
        case 2:
            tensor.data_type = draw.randrange(26)
        case _:
            tensor.raw_data = tensor.raw_data[: draw.randrange(len(tensor.raw_data) + 1)]


def _outside(draw: Draw, net: ModelProto) -> None:
    """Data that lies in another file."""
    tensor = draw.choice(net.graph.initializer) if net.graph.initializer else (
        net.graph.initializer.add(name="away", data_type=TensorProto.FLOAT, dims=[2]))
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    facts = {"location": draw.choice(PLACES)}
    for key in ("offset", "length", "checksum"):
        if draw.random() < 0.3:
            facts[key] = str(draw.choice((*INTS, "", "x", "9" * 5000)))
    for key, value in facts.items():
        tensor.external_data.add(key=key, value=value)


def _names(draw: Draw, net: ModelProto) -> None:
    """One name, everywhere that it stands."""
    graph = net.graph
    node = draw.choice(graph.node)
    if draw.random() < 0.3:
        node.name = draw.choice(NAMES)
        return
    old, new = draw.choice([*node.input, *node.output] or [""]), draw.choice(NAMES)
    for one in (*graph.input, *graph.output, *graph.initializer):
        if one.name == old:
            one.name = new
    for each in graph.node:
        for ends in (each.input, each.output):
            ends[:] = [new if name == old else name for name in ends]


def _opset(draw: Draw, net: ModelProto) -> None:
    if draw.random() < 0.2:
        net.opset_import.add(domain=draw.choice(("", "far", "ai.onnx")), version=1)
    else:
        draw.choice(net.opset_import).version = draw.choice((0, 1, 6, 7, 9, 11, 13, 18, 25, 99))
    if draw.random() < 0.2:
        net.ir_version = draw.choice((0, 1, 3, 99, -1))


def _branch(draw: Draw, net: ModelProto) -> None:
    """The last node becomes a branch or the body of a loop."""
    last = net.graph.node.pop()
    body = helper.make_graph([last], "b", [], [onnx.ValueInfoProto(name=n) for n in last.output])
    kind = draw.choice(("If", "Loop", "Scan"))
    subgraphs: dict[str, Any] = {"then_branch": body, "else_branch": body} if kind == "If" else {
        "body": body}
    net.graph.node.append(helper.make_node(
        kind, [draw.choice([*last.input] or [""])], last.output, **subgraphs))


def _function(draw: Draw, net: ModelProto) -> None:
    """A node becomes a function of the model, which may call itself."""
    node = draw.choice(net.graph.node)
    inner = NodeProto()
    inner.CopyFrom(node)
    if draw.random() < 0.3:
        inner.op_type, inner.domain = "Made", "own"
    del inner.attribute[:]
    net.functions.append(helper.make_function(
        "own", "Made", [n for n in node.input if n], [*node.output], [inner],
        [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)]))
    node.op_type, node.domain = "Made", "own"


CHANGES: Sequence[Callable[[Draw, ModelProto], None]] = (
    _attribute, _attribute, _another_type, _operator, _operator, _wires, _nodes, _port, _port,
    _ports, _weight, _weight, _outside, _names, _opset, _branch, _function)


def _bytes(draw: Draw, data: bytes) -> tuple[str, bytes]:
    """The file with changed bytes, most often as it was."""
    at, end = sorted(draw.randrange(len(data) + 1) for _ in "ab")
    match draw.randrange(12):
        case 0:
            return "cut", data[:at]
        case 1:
            return "without a part", data[:at] + data[end:]
        case 2:
            return "with a part twice", data[:end] + data[at:]
        case 3:
            changed = bytearray(data)
            for _ in range(draw.randrange(1, 5)):
                changed[draw.randrange(len(data))] = draw.randrange(256)
            return "with other bytes", bytes(changed)
    return "", data


def spoil(draw: Draw, folder: Path) -> str:
    project, outside = folder / "project", folder / "outside"
    project.mkdir()
    outside.mkdir()
    (outside / "secret.bin").write_bytes(CANARY.encode() * 1000)
    (project / "data.bin").write_bytes(bytes(range(256)) * 16)
    (project / "link.bin").symlink_to(outside / "secret.bin")
    (project / "linked").symlink_to(outside)
    (project / "loop").symlink_to("loop")
    seed = draw.randrange(SKETCHES)
    net = sketch(seed).model()[0]
    done = []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        change = draw.choice(CHANGES)
        with suppress(Exception):  # an earlier change may have left nothing for this one
            change(draw, net)
            done.append(change.__name__.strip("_"))
    what, data = _bytes(draw, net.SerializeToString() or b"\0")
    (project / "net.onnx").write_bytes(data)
    # onnxsim is a process of its own, which takes a second
    (project / "simplify").write_text("yes" if draw.random() < 0.04 else "")
    return f"model {seed}: {', '.join(done)} {what}".strip()


def run(folder: Path) -> None:
    """`onnxpress compile net.onnx`, for the targets that run here."""
    project = folder / "project"
    simplify = bool((project / "simplify").read_text())
    with fault_at("net.onnx"):
        compile_model(project / "net.onnx", project / "out", Options(
            targets=("wasm", "js"), simplify=simplify, limits=LIMITS))
        read_manifest(project / "out/manifest.json")


def warm() -> None:
    """Loads the 200 modules of ONNX's reference, and the one that wasmtime's memory needs."""
    for name in ("onnx.reference.ops._op_list", "numpy.ctypeslib", "py_mini_racer", "wasmtime"):
        import_module(name)


MODELS = Mutator("models", spoil, run, warm=warm)
