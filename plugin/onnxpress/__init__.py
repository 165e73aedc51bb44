"""Press ONNX models into web pages."""

__version__ = "0.1.0"
__all__ = ["__version__"]
