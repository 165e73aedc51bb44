"""HOW operators run: one folder per kernel, all targets side by side.

A folder holds `wasm.py` (emitter), `js.py` + `kernel.js`, `wgsl.py` + `shader.wgsl`; a target that
takes more than one file is a folder of that name. `Op.kernel` names an operator's folder. Importing
this package imports all of them, so an operator that lacks one fails at once.
"""

from importlib import import_module
from typing import Any, Protocol, cast

from ..emit.layout import Needs, Step
from ..emit.wgsl.device import Device
from ..emit.wgsl.shader import Dispatch
from ..errors import PlanError
from ..graph.graph import Graph, Node
from ..ops import OPS

MODULES = {"wasm": "wasm", "js": "js", "webgpu": "wgsl"}  # target -> a kernel's module for it


class LinearKernel(Protocol):
    """A kernel for a target with linear memory."""

    def needs(self, node: Node, graph: Graph) -> Needs:
        """What the kernel asks of linear memory for `node`."""
        ...

    def emit(self, step: Step, program: Any) -> None:
        """Adds the step's code to `program`, an Emitter for wasm or a JsModule for js."""
        ...


class GpuKernel(Protocol):
    """A kernel for WebGPU."""

    def lower(self, node: Node, graph: Graph, device: Device) -> list[Dispatch]:
        """The dispatches that run `node` on that class of GPU."""
        ...


KERNELS = {
    (op.name, target): import_module(f"{__name__}.{op.kernel}.{MODULES[target]}")
    for op in OPS.values() for target in op.targets
}


def linear_kernel(node: Node, target: str) -> LinearKernel:
    """How `node` runs on "wasm" or "js".

    Raises:
        PlanError: its operator has no kernel there.
    """
    return cast(LinearKernel, _kernel(node, target))


def gpu_kernel(node: Node) -> GpuKernel:
    """How `node` runs on WebGPU.

    Raises:
        PlanError: its operator has no kernel there.
    """
    return cast(GpuKernel, _kernel(node, "webgpu"))


def _kernel(node: Node, target: str) -> object:
    if (node.op, target) not in KERNELS:
        raise PlanError(f"%{node.name}: no kernel runs {node.op} on {target}")
    return KERNELS[node.op, target]
