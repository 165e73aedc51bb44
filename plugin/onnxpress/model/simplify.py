"""onnxsim in a child process. It may crash, hang or use up memory.

A model that onnxsim cannot simplify is used as it is. An end for want of time, memory or disk is an
error: with more of them the pack would have other bytes.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import onnx
from onnx import ModelProto

from ..errors import ModelError
from ..graph.graph import Shape
from .child import run_child
from .spill import spilled

TIMEOUT_SECONDS = 180
CHILD = "onnxpress.model.simplify"
REFUSED = 3  # the exit status of a child whose onnxsim cannot simplify the model
MEMORY_BYTES = 12 << 30  # of address space, of which onnxruntime reserves several GiB unused

# How libraries inside onnxsim tell of a lack that another machine may not have.
LACKING = re.compile("alloc|out of memory|no space left", re.IGNORECASE)

STANDARD = ("", "ai.onnx")

# onnxsim would fold these operators into float weights, and the model's quantization would be lost.
QUANTIZED = {"DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}


def simplify(model: ModelProto, shapes: Mapping[str, Shape], note: Callable[[str, str], None],
             wanted: bool = True) -> ModelProto:
    """The simplified model, or `model` itself if onnxsim cannot help; then a note says why.
    `shapes`: input name -> fixed shape. `wanted`: whether onnxsim is asked.

    Raises:
        ModelError: onnxsim crashed, or lacked time, memory or disk.
    """
    if not wanted:
        note("simplify", "onnxsim is left out, as asked")
        return model
    if any(node.op_type in QUANTIZED for node in model.graph.node):
        note("simplify", "onnxsim is left out: the model is quantized and its integers matter")
        return model
    try:
        content = _without_spilled(model).SerializeToString(deterministic=True)
    except ValueError:
        note("simplify", "the model exceeds protobuf's 2 GiB; onnxsim is left out")
        return model
    simple = _run(content, [f"{name}={'x'.join(map(str, shape))}"
                            for name, shape in shapes.items()])
    if simple is None:
        note("simplify", "onnxsim cannot simplify the model, which is used as it is")
        return model
    return _accept(_with_spilled(simple, model), model, note)


def _run(content: bytes, fixed: list[str]) -> ModelProto | None:
    """What onnxsim makes of a model; None if it cannot simplify it."""
    try:
        with tempfile.TemporaryDirectory(prefix="onnxpress-") as folder:
            source, target = Path(folder, "in.onnx"), Path(folder, "out.onnx")
            source.write_bytes(content)
            status = run_child(CHILD, source, target, *fixed, log=Path(folder, "log.txt"),
                               timeout=TIMEOUT_SECONDS)
            if status == REFUSED:
                return None
            if not status:
                return ModelProto.FromString(target.read_bytes())
            why = f"ended with code {status}"
    except subprocess.TimeoutExpired:
        why = f"took over {TIMEOUT_SECONDS} s"
    except OSError as error:
        why = f"cannot run: {error.strerror}"
    raise ModelError(f"onnxsim {why}; give it more memory, or more room for temporary files, or "
                     "leave it out: simplify: false in the spec, --no-simplify for the command")


def _without_spilled(model: ModelProto) -> ModelProto:
    """A copy of the model in which each weight that is kept in a file is an input."""
    away = {tensor.name: tensor for tensor in spilled(model)}
    if not away:
        return model
    copy = ModelProto()
    copy.CopyFrom(model)
    listed = {port.name for port in model.graph.input}
    copy.graph.input.extend(onnx.helper.make_tensor_value_info(t.name, t.data_type, t.dims)
                            for t in away.values() if t.name not in listed)
    kept = [t for t in copy.graph.initializer if t.name not in away]
    del copy.graph.initializer[:]
    copy.graph.initializer.extend(kept)
    return copy


def _with_spilled(simple: ModelProto, model: ModelProto) -> ModelProto:
    """`simple`, with the weights that `model` keeps in a file in place of inputs."""
    away = {tensor.name: tensor for tensor in spilled(model)}
    ports = [port for port in simple.graph.input if port.name not in away]
    del simple.graph.input[:]
    simple.graph.input.extend(ports)
    simple.graph.initializer.extend(away.values())
    return simple


def _accept(simple: ModelProto, model: ModelProto,
            note: Callable[[str, str], None]) -> ModelProto:
    """`simple` if it has the same inputs and outputs and only standard operators, else `model`."""
    if _ports(simple.graph) != _ports(model.graph):
        note("simplify", "onnxsim changed the model's inputs or outputs; it is used as it is")
        return model
    if any(node.domain not in STANDARD for node in simple.graph.node):
        note("simplify", "onnxsim fused operators into others outside the ONNX standard; "
                         "the model is used as it is")
        return model
    return simple


def _ports(graph: onnx.GraphProto) -> tuple[list[str], list[str]]:
    """Names of the inputs that are no weights, and of the outputs."""
    weights = {tensor.name for tensor in graph.initializer}
    return ([port.name for port in graph.input if port.name not in weights],
            [port.name for port in graph.output])


def _child(source: str, target: str, fixed: list[str]) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    except (ImportError, OSError, ValueError):  # Windows and macOS; the time limit still holds
        pass
    import onnxsim

    model = onnx.load(source)
    pairs = (item.rpartition("=") for item in fixed)
    shapes = {name: [int(n) for n in dims.split("x")] for name, _, dims in pairs}
    try:
        simple, _ = onnxsim.simplify(model, check_n=0, overwrite_input_shapes=shapes or None)
    except (MemoryError, OSError):
        raise
    except Exception as error:
        if LACKING.search(str(error)):
            raise
        sys.exit(REFUSED)
    onnx.save(simple, target)


if __name__ == "__main__":
    _child(sys.argv[1], sys.argv[2], sys.argv[3:])
