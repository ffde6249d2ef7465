"""Reports of a run as one HTML file, and plots that compare strategies."""

from gennas.report.data import RunData
from gennas.report.html import write_report
from gennas.report.search_curves import plot_comparison

__all__ = ["RunData", "plot_comparison", "write_report"]
