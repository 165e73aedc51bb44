"""`onnxpress bench`: a model's times on this machine."""

from . import against, batch, command, frames, report

__all__ = ["against", "batch", "command", "frames", "report"]
