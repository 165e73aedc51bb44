"""`onnxpress bench`: a model's time on this machine."""

from . import against, batch, command, frames, report

__all__ = ["against", "batch", "command", "frames", "report"]
