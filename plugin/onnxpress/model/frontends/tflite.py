"""TFLite file -> ModelProto, by tf2onnx in a process of its own: tf2onnx loads TensorFlow, which is
large, and the file is untrusted. Decision 0008 tells why tf2onnx is used.
"""

import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from onnx import ModelProto

from ...errors import ModelError
from ..child import run_child
from . import read

MAGIC = b"TFL3"  # bytes 4 to 8 of the file: the FlatBuffers identifier of TFLite's schema
OPSET = 17
TIMEOUT_SECONDS = 300
NEEDED = ("tensorflow", "tf2onnx")


def read_tflite(path: Path) -> ModelProto:
    """The ONNX model of the TFLite file. Inputs keep their names and are x[N,H,W,C].

    Raises:
        ModelError: tf2onnx is not installed, or cannot convert the file.
    """
    if missing := [name for name in NEEDED if not find_spec(name)]:
        raise ModelError(f"{path.name}: this is a TFLite file; reading it needs the Python "
                         f"packages {' and '.join(NEEDED)}: pip install {' '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as folder:
        target = Path(folder, "model.onnx")
        log = Path(folder, "log.txt")
        try:
            status = run_child("tf2onnx.convert", "--tflite", path.resolve(), "--output", target,
                               "--opset", str(OPSET), log=log, timeout=TIMEOUT_SECONDS,
                               env={"PYTHONHASHSEED": "0"})  # same bytes each time
        except subprocess.TimeoutExpired as error:
            raise ModelError(f"{path.name}: tf2onnx took over {TIMEOUT_SECONDS} s") from error
        if status or not target.is_file():
            text = log.read_text("utf-8", errors="replace")
            lines = text.strip().splitlines() or [f"it ended with code {status}"]
            raise ModelError(f"{path.name}: tf2onnx cannot convert this TFLite file: {lines[-1]}")
        model = read(target)
    unknown = {node.op_type for node in model.graph.node if node.op_type.startswith("TFL_")}
    if unknown:
        names = ", ".join(sorted(name.removeprefix("TFL_") for name in unknown))
        raise ModelError(f"{path.name}: tf2onnx cannot convert the TFLite operators {names}; "
                         "export the model to ONNX where it was trained")
    return model
