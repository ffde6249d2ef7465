"""Reports of runs and comparisons as HTML files, their tables, and plots that compare strategies."""

from gennas.report.comparison import Comparison
from gennas.report.comparison_page import write_comparison
from gennas.report.data import RunData
from gennas.report.html import write_report
from gennas.report.search_curves import plot_comparison
from gennas.report.supernet import SupernetStory, supernets_of

__all__ = [
    "Comparison",
    "RunData",
    "SupernetStory",
    "plot_comparison",
    "supernets_of",
    "write_comparison",
    "write_report",
]
