"""A PyTorch module -> an ONNX file, by torch.onnx.export on top of torch.export.

This exporter names inputs after the parameters of forward(). The older one, which traces
TorchScript, names them "input.1" and is deprecated since PyTorch 2.9.
"""

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import ModelError
from ...graph.graph import Shape

KIND = "a torch.nn.Module"


def accepts(value: Any) -> bool:
    """Whether `value` is a module, or a pair (module, example inputs)."""
    torch = sys.modules.get("torch")
    module = value[0] if isinstance(value, tuple) and len(value) == 2 else value
    return torch is not None and isinstance(module, torch.nn.Module)


def write(value: Any, shapes: Mapping[str, Shape], where: str, path: Path) -> None:
    """Writes `value`, in evaluation mode, to the ONNX file `path`. Example inputs are a tensor, a
    sequence of tensors, or a mapping from forward()'s parameters. Without them, the module is
    traced with f32 tensors of `shapes`.

    Raises:
        ModelError: a shape is missing, or PyTorch exports nothing.
    """
    import torch  # pyright: ignore[reportMissingImports]  # an optional package

    module, examples = value if isinstance(value, tuple) else (value, None)
    if examples is None:
        examples = {name: torch.zeros(shape) for name, shape in _inputs(module, shapes, where)}
    named = examples if isinstance(examples, Mapping) else {}
    listed = (examples,) if isinstance(examples, torch.Tensor) else () if named else examples
    with torch.no_grad():
        program = torch.onnx.export(module.eval(), tuple(listed), kwargs=dict(named),
                                    dynamo=True, verbose=False)
    if program is None:
        raise ModelError(f"{where}: torch.onnx.export gives no program for this module")
    program.save(path)


def _inputs(module: Any, shapes: Mapping[str, Shape], where: str) -> list[tuple[str, Shape]]:
    """(name, shape) of each of forward()'s parameters that has a shape, in forward()'s order."""
    parameters = inspect.signature(module.forward).parameters.values()
    for p in parameters:
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in shapes:
            named = f" (there are: {', '.join(shapes)})" if shapes else ""
            raise ModelError(f"{where}: the shape of the input {p.name} is missing{named}; write "
                             f"it, for example shapes: {{{p.name}: [1, 3, 224, 224]}}, or return "
                             "the module with its example inputs")
    return [(p.name, shapes[p.name]) for p in parameters if p.name in shapes]
