"""Runs a WebGPU program outside a browser: wgpu-native on Mesa's lavapipe, which has "shader-f16".

SwiftShader, on which Chromium's tests run, lacks that feature.
"""

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxpress.graph.graph import Graph
from onnxpress.weights.encodings import encode

ICDS = Path("/usr/share/vulkan/icd.d")


def find_lavapipe() -> Path | None:
    """Its driver's description for the Vulkan loader."""
    return next(iter(sorted(ICDS.glob("lvp_icd*.json"))), None)


@cache
def open_device() -> Any:
    """A device of lavapipe with f16; None where there is none."""
    driver = find_lavapipe()
    if not driver or not find_spec("wgpu"):
        return None
    import wgpu

    # The Vulkan loader reads it when it is first asked; browsers started later must not.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VK_DRIVER_FILES", str(driver))
        adapters = wgpu.gpu.enumerate_adapters_sync()
    for adapter in adapters:
        if adapter.info["backend_type"] == "Vulkan" and "shader-f16" in adapter.features:
            return adapter.request_device_sync(required_features=["shader-f16"])
    return None


def run_program(program: Mapping[str, Any], graph: Graph, encodings: Mapping[str, str],
                feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The flat outputs of `program`, with the weights of `graph` in `encodings`."""
    device = open_device()
    buffers = [device.create_buffer(size=size, usage="STORAGE|COPY_SRC|COPY_DST")
               for size in program["buffers"]]
    write = lambda buffer, offset, data: device.queue.write_buffer(  # noqa: E731
        buffers[buffer], offset, data)
    for part in program["weights"]:
        data = _held(graph.constants[part["tensor"]], encodings[part["tensor"]], part["kind"])
        for i in range(part.get("runs", 1)):
            start = part["start"] + i * part["bytes"]
            write(part["buffer"], part["offset"] + i * part.get("pitch", 0),
                  data[start : start + part["bytes"]])
    for table in program["tables"]:
        write(table["buffer"], table["offset"], np.asarray(table["data"], "<f4").tobytes())
    for port in program["inputs"]:
        write(port["buffer"], port["offset"], np.asarray(feeds[port["name"]], "<f4").tobytes())
    pipelines = [_pipeline(device, shader["code"]) for shader in program["shaders"]]
    encoder = device.create_command_encoder()
    work = encoder.begin_compute_pass()
    for run in (*program["setup"], *program["dispatches"]):
        pipeline = pipelines[run["shader"]]
        bound = [{"buffer": buffers[b], "offset": at, "size": size} for b, at, size in run["bind"]]
        if run["numbers"]:
            numbers = np.zeros(-(-len(run["numbers"]) // 4) * 4, np.uint32)
            numbers[: len(run["numbers"])] = run["numbers"]
            buffer = device.create_buffer_with_data(data=numbers, usage="UNIFORM")
            bound.append({"buffer": buffer, "offset": 0, "size": numbers.nbytes})
        entries = [{"binding": i, "resource": one} for i, one in enumerate(bound)]
        layout = pipeline.get_bind_group_layout(0)
        work.set_pipeline(pipeline)
        work.set_bind_group(0, device.create_bind_group(layout=layout, entries=entries))
        work.dispatch_workgroups(*run["groups"])
    work.end()
    device.queue.submit([encoder.finish()])
    return [np.frombuffer(device.queue.read_buffer(buffers[p["buffer"]], p["offset"],
                                                   4 * p["length"]), "<f4")
            for p in program["outputs"]]


def _pipeline(device: Any, code: str) -> Any:
    module = device.create_shader_module(code=code)
    return device.create_compute_pipeline(layout="auto",
                                          compute={"module": module, "entry_point": "main"})


def _held(array: np.ndarray, encoding: str, kind: str) -> bytes:
    """What targets/webgpu/prepare.js writes of a constant."""
    if kind == "f32":
        return np.asarray(array, "<f4").tobytes()
    if kind == "f16":
        return np.asarray(array, "<f4").astype("<f2").tobytes()
    _, values, scales = encode(array, encoding)
    return bytes(scales if kind == "scale" else values)
