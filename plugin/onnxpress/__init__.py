"""Press ONNX models into web pages."""

import os

# onnxruntime sends records of the machine to its maker and keeps them in the home folder. It reads
# this when it is imported, here or in a child process. Nothing of the package is imported before.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
__all__ = ["__version__"]
