"""Compiles the WGSL of programs with naga, the front end of the optional package wgpu.

naga is part of a library that needs an adapter; one in software serves, such as Mesa's lavapipe. It
runs in a process of its own, for drivers may crash.

Run as `python -m onnxpress.run.wgsl RESULT PROGRAM…`: it writes what it found to the file RESULT.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import ProofError
from ..model.child import run_child

SECONDS = 120.0  # for all shaders of a pack; naga takes milliseconds for one
F16 = "shader-f16"


@dataclass(frozen=True, slots=True)
class Compiled:
    """How many shaders were compiled and how many were left out, on which adapter; `why` no more
    were."""

    shaders: int = 0
    left_out: int = 0
    adapter: str = ""
    why: str = ""

    def __str__(self) -> str:
        done = f"{self.shaders} shaders compiled by naga on {self.adapter}" if self.shaders else ""
        rest = f"{self.left_out or 'no'} shaders compiled" if not done else (
            f"{self.left_out} not compiled" if self.left_out else "")
        return "; ".join(filter(None, (done, rest))) + (f": {self.why}" if self.why else "")


def compile_shaders(programs: Sequence[Path]) -> Compiled:
    """What naga makes of the shaders of these programs, files of the target webgpu.

    Raises:
        ProofError: a shader is not valid.
    """
    if not find_spec("wgpu"):
        return Compiled(why="the package wgpu is not installed; pip install onnxpress[webgpu]")
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as name:
        result = Path(name) / "result.json"
        try:
            run_child(__name__, result, *(p.resolve() for p in programs),
                      log=Path(name) / "log", timeout=SECONDS)
            found = json.loads(result.read_text("utf-8"))
        except (OSError, subprocess.TimeoutExpired):
            return Compiled(why="the driver ended before it had compiled them")
    if "fault" in found:
        raise ProofError(found["fault"])
    return Compiled(**found)


def _compile(programs: Iterable[Path]) -> dict[str, Any]:
    import wgpu

    adapters = wgpu.gpu.enumerate_adapters_sync()
    adapter = next((a for a in adapters if F16 in a.features), next(iter(adapters), None))
    if adapter is None:
        return asdict(Compiled(why="there is no adapter here, not even one in software"))
    features = [F16] if F16 in adapter.features else []
    device = adapter.request_device_sync(required_features=features)
    texts = {text: path.name for path in programs for text in _shaders(path)}
    left_out = [] if features else [t for t in texts if "enable f16;" in t]
    for text in texts.keys() - set(left_out):
        try:
            device.create_shader_module(code=text)
        except wgpu.GPUError as error:
            reason = " ".join(str(error).split()).rpartition("Shader '' ")[2]
            return {"fault": f"{texts[text]}: naga refuses a shader: {reason[:160]}"}
    return asdict(Compiled(len(texts) - len(left_out), len(left_out), adapter.info["device"],
                           "the adapter lacks f16" if left_out else ""))


def _shaders(path: Path) -> list[str]:
    return [shader["code"] for shader in json.loads(path.read_bytes())["shaders"]]


if __name__ == "__main__":
    found = json.dumps(_compile(map(Path, sys.argv[2:])))
    Path(sys.argv[1]).write_text(found, "utf-8", newline="\n")
