"""Official files of published benchmarks, read without running any code in them."""

from gennas.eval.tables.formats.base import GIB, Rows, Source
from gennas.eval.tables.formats.convert import FORMATS, Conversion, Format, Missing, convert_table, open_official

__all__ = ["FORMATS", "GIB", "Conversion", "Format", "Missing", "Rows", "Source", "convert_table", "open_official"]
