"""Networks leave the workbench: ONNX, PyTorch's exported programs, safetensors and plain source."""

from gennas.export.formats import FORMATS, TOLERANCE, export_module
from gennas.export.source import module_source

__all__ = ["FORMATS", "TOLERANCE", "export_module", "module_source"]
