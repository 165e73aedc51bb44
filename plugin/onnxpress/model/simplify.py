"""onnxsim in a child process. It may crash, hang or use up memory; then the build goes on without
it.

Run as `python -m onnxpress.model.simplify IN OUT NAME=1x3x224x224 …`.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import onnx

from ..graph.graph import Shape
from .spill import spilled

TIMEOUT_SECONDS = 180
COMMAND = (sys.executable, "-P", "-m", "onnxpress.model.simplify")
MEMORY_BYTES = 12 << 30  # of address space, of which onnxruntime reserves several GiB unused

STANDARD = ("", "ai.onnx")

# onnxsim would fold these operators into float weights, and the model's quantization would be lost.
QUANTIZED = {"DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}


def simplify(model: onnx.ModelProto, shapes: Mapping[str, Shape],
             note: Callable[[str, str], None]) -> onnx.ModelProto:
    """The simplified model, or `model` itself if onnxsim cannot help; then a note says why.
    `shapes`: input name -> fixed shape."""
    if any(node.op_type in QUANTIZED for node in model.graph.node):
        note("simplify", "onnxsim is left out: the model is quantized and its integers matter")
        return model
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as folder:
        source, target = Path(folder, "in.onnx"), Path(folder, "out.onnx")
        fixed = [f"{name}={'x'.join(map(str, shape))}" for name, shape in shapes.items()]
        try:
            source.write_bytes(_without_spilled(model).SerializeToString(deterministic=True))
            done = subprocess.run([*COMMAND, source, target, *fixed], capture_output=True,
                                  timeout=TIMEOUT_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            note("simplify", f"onnxsim took over {TIMEOUT_SECONDS} s; the model is used as it is")
            return model
        except ValueError:
            note("simplify", "the model exceeds protobuf's 2 GiB; onnxsim is left out")
            return model
        if done.returncode or not target.is_file():
            note("simplify", f"onnxsim ended with code {done.returncode}; "
                             "the model is used as it is")
            return model
        return _accept(_with_spilled(onnx.load(target), model), model, note)


def _without_spilled(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model in which each weight that is kept in a file is an input."""
    away = {tensor.name: tensor for tensor in spilled(model)}
    if not away:
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    listed = {port.name for port in model.graph.input}
    copy.graph.input.extend(onnx.helper.make_tensor_value_info(t.name, t.data_type, t.dims)
                            for t in away.values() if t.name not in listed)
    kept = [t for t in copy.graph.initializer if t.name not in away]
    del copy.graph.initializer[:]
    copy.graph.initializer.extend(kept)
    return copy


def _with_spilled(simple: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """`simple`, with the weights that `model` keeps in a file in place of inputs."""
    away = {tensor.name: tensor for tensor in spilled(model)}
    ports = [port for port in simple.graph.input if port.name not in away]
    del simple.graph.input[:]
    simple.graph.input.extend(ports)
    simple.graph.initializer.extend(away.values())
    return simple


def _accept(simple: onnx.ModelProto, model: onnx.ModelProto,
            note: Callable[[str, str], None]) -> onnx.ModelProto:
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

    pairs = (item.rpartition("=") for item in fixed)
    shapes = {name: [int(n) for n in dims.split("x")] for name, _, dims in pairs}
    simple, _ = onnxsim.simplify(onnx.load(source), check_n=0,
                                 overwrite_input_shapes=shapes or None)
    onnx.save(simple, target)


if __name__ == "__main__":
    _child(sys.argv[1], sys.argv[2], sys.argv[3:])
