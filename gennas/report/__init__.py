"""Reports of a run as one HTML file, and plots that compare strategies."""

from gennas.report.curves import plot_comparison
from gennas.report.data import RunData
from gennas.report.html import write_report

__all__ = ["RunData", "plot_comparison", "write_report"]
