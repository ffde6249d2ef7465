"""What a comparison of strategies found, and its tables in Markdown and LaTeX."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from gennas.report.statistics import METHODS
from gennas.search.objectives import Objective

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cell", "Column", "Comparison", "columns_of", "escape_latex", "to_latex", "to_markdown"]

Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Comparison:
    """A finished comparison.

    Args:
        title: space and source of the scores.
        objective: what was optimised.
        budget: evaluations of each run.
        seeds: runs of each strategy.
        summary: a row per strategy, as in ``summary.csv``.
        curves: a row per change of the incumbent.
        statistics: of :func:`gennas.report.statistics.describe`.
        tests: of :func:`gennas.report.statistics.significance`.
        findings: what the tests say, in sentences.
        notes: what a reader must know of the strategies, such as that one could not learn within the budget.
        optimum: best value that exists, where it is known.
        report: metric that was merely reported; empty for none.
        report_direction: what is better of it.
        volumes: the hypervolume of several objectives, a row per rise.
        charged: whether evaluations took time that is worth drawing: networks were trained or measured.
        config: the settings, plain values.
        version: of gennas.
        tracked: where a tracker left it, for a person.
    """

    title: str
    objective: Objective
    budget: int
    seeds: int
    summary: pd.DataFrame
    curves: pd.DataFrame
    statistics: pd.DataFrame
    tests: pd.DataFrame
    findings: Sequence[str] = ()
    notes: Sequence[str] = ()
    optimum: float | None = None
    report: str = ""
    report_direction: Direction = "max"
    volumes: pd.DataFrame | None = None
    charged: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    tracked: str = ""

    @property
    def strategies(self) -> list[str]:
        """Their names."""
        return [str(name) for name in self.summary["strategy"]]

    @property
    def runs(self) -> str:
        """How many seeds, in words."""
        return f"{self.seeds} seed{'s' if self.seeds > 1 else ''}"

    @property
    def caption(self) -> str:
        """What the table shows."""
        goal = self.objective
        parts = [
            f"{self.title}: best {goal.metric} ({'higher' if goal.direction == 'max' else 'lower'} is better) after "
            f"{self.budget} evaluations, mean ± standard deviation over {self.runs}, with Student's 95 % interval of "
            "the mean"
        ]
        if len(self.strategies) > 1:
            parts.append("rank: mean rank over seeds, 1 being the best")
        if self.optimum is not None:
            parts.append(
                f"optimum: share of runs that found the table's best value; evaluations to it, a miss counting as "
                f"{self.budget + 1}"
            )
        if "cost_s" in self.summary:
            parts.append("seconds: what trials took together, and the part of it that computing features took")
            if self.summary["labels_of_other_runs"].any():
                parts.append("other labels: those of runs on other tasks, which are no evaluations of these")
        if self.report:
            parts.append(f"{self.report} is that of the incumbent and was not shown to the strategies")
        return "; ".join(parts) + (". Best in bold." if len(self.strategies) > 1 else ".")

    def measured(self, measure: str) -> pd.DataFrame:
        """The statistics of one measure, by strategy."""
        return self.statistics[self.statistics["measure"] == measure].set_index("strategy")


@dataclass(frozen=True)
class Cell:
    """A number as text, perhaps with its spread; ``best`` in its column."""

    number: str
    spread: str = ""
    best: bool = False

    @property
    def text(self) -> str:
        """Plain text."""
        return f"{self.number} ± {self.spread}" if self.spread else self.number


@dataclass(frozen=True)
class Column:
    """A title and a cell per strategy."""

    title: str
    cells: Sequence[Cell]
    is_name: bool = False
    """Whether the title is the name of a metric."""


def columns_of(comparison: Comparison) -> list[Column]:
    """The columns of the table, without the strategies' names."""
    summary, objective = comparison.summary, comparison.objective
    several, none = len(comparison.strategies) > 1, [math.nan] * len(summary)
    goal = comparison.measured(objective.metric).loc[comparison.strategies]
    digits = _decimals(goal["std"], goal["mean"])
    columns = [
        Column(objective.metric, _cells(goal["mean"], goal["std"], objective.direction, several), is_name=True),
        Column(
            "95 % interval",
            [Cell(f"[{_number(a, digits)}, {_number(b, digits)}]" if a == a else "–")
             for a, b in zip(goal["low"], goal["high"], strict=True)],
        ),
    ]  # fmt: skip
    if several:
        columns.append(Column("rank", _best(goal["mean_rank"], [f"{x:.2f}" for x in goal["mean_rank"]], "min")))
    if "hypervolume_mean" in summary:
        spread = summary["hypervolume_std"] if comparison.seeds > 1 else none
        cells = _cells(summary["hypervolume_mean"], spread, "max", several)
        columns.append(Column("hypervolume", cells))
    if comparison.report and summary["report_mean"].notna().any():
        spread = summary["report_std"] if comparison.seeds > 1 else none
        cells = _cells(summary["report_mean"], spread, comparison.report_direction, several)
        columns.append(Column(comparison.report, cells, is_name=True))
    if comparison.optimum is not None:
        shares = [f"{share:.0%}".replace("%", " %") for share in summary["optimum_share"]]
        columns.append(Column("optimum", _best(summary["optimum_share"], shares, "max", several)))
        spent = comparison.measured("evaluations").loc[comparison.strategies]
        columns.append(Column("evaluations", _cells(spent["mean"], spent["std"], "min", several)))
    return columns + _costs(comparison)


def _costs(comparison: Comparison) -> list[Column]:
    """What was spent, where strategies were told more than labels; nothing of it is bold."""
    found, summary = [], comparison.summary
    if "cost_s" in summary:
        costs = summary["cost_s"], summary["feature_s"]
        digits = _decimals([], [*costs[0], *costs[1]])
        for title, values in zip(("seconds", "of features"), costs, strict=True):
            found.append(Column(title, [Cell(_number(value, min(digits, 2))) for value in values]))
        if summary["labels_of_other_runs"].any():
            found.append(Column("other labels", [Cell(f"{n:.0f}") for n in summary["labels_of_other_runs"]]))
    return found


def _cells(means: Any, spreads: Any, direction: Direction, bold: bool) -> list[Cell]:
    digits = _decimals(spreads, means)
    best = _best(means, [_number(mean, digits) for mean in means], direction, bold)
    told = [_number(spread, digits) if spread == spread and mean == mean else "" for mean, spread in
            zip(means, spreads, strict=True)]  # fmt: skip
    return [Cell(cell.number, spread, cell.best) for cell, spread in zip(best, told, strict=True)]


def _best(values: Any, texts: Sequence[str], direction: Direction, bold: bool = True) -> list[Cell]:
    """Cells of which those that read like the best are marked."""
    known = [(float(v) if direction == "max" else -float(v), text) for v, text in zip(values, texts, strict=True)]
    finite = [pair for pair in known if math.isfinite(pair[0])]
    best = max(finite)[1] if finite and bold and len({*texts}) > 1 else None
    return [Cell(text, best=text == best) for text in texts]


def _decimals(spreads: Any, means: Any) -> int:
    """Decimals that show two digits of the smallest spread, or five of the largest value where there is none."""
    known = [float(s) for s in spreads if s == s and s > 0]
    if all(float(m).is_integer() for m in means if m == m) and not known:
        return 0
    if known:
        return min(6, max(0, 1 - math.floor(math.log10(min(known)))))
    largest = max((abs(float(m)) for m in means if m == m), default=0.0)
    return min(6, max(0, 4 - math.floor(math.log10(largest)))) if largest else 1


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else "–"


# ---------------------------------------------------------------------- files


def to_markdown(comparison: Comparison) -> str:
    """The table, its caption, the findings and the notes."""
    columns = columns_of(comparison)
    lines = ["| strategy | " + " | ".join(_escape_cell(c.title) for c in columns) + " |"]
    lines.append("|---|" + "---:|" * len(columns))
    for i, name in enumerate(comparison.strategies):
        cells = (f"**{c.cells[i].text}**" if c.cells[i].best else c.cells[i].text for c in columns)
        lines.append(f"| `{_escape_cell(name)}` | " + " | ".join(cells) + " |")
    tested = [METHODS] if len(comparison.tests) else []
    rest = [comparison.caption, *comparison.findings, *tested, *(f"Note: {note}" for note in comparison.notes)]
    return "\n".join(lines) + "\n\n" + "\n\n".join(rest) + "\n"


def _escape_cell(text: str) -> str:
    return text.replace("|", "\\|")


def to_latex(comparison: Comparison) -> str:
    r"""A ``table`` of LaTeX with its caption, to be pasted into a paper that uses the package ``booktabs``.

    The findings and notes stand above it as comments.
    """
    columns = columns_of(comparison)
    head = " & ".join(["strategy", *(escape_latex(c.title) for c in columns)])
    rows = [
        " & ".join([rf"\texttt{{{escape_latex(name)}}}", *(_latex_cell(c.cells[i]) for c in columns)]) + r" \\"
        for i, name in enumerate(comparison.strategies)
    ]
    comments = [f"% {line}" for line in ("Needs \\usepackage{booktabs}.", *comparison.findings, *comparison.notes)]
    return "\n".join(
        [
            *comments, r"\begin{table}[t]", r"  \centering", r"  \small",
            rf"  \caption{{{escape_latex(comparison.caption)}}}",
            r"  \label{tab:comparison}", rf"  \begin{{tabular}}{{l{'r' * len(columns)}}}", r"    \toprule",
            rf"    {head} \\", r"    \midrule", *(f"    {row}" for row in rows), r"    \bottomrule", r"  \end{tabular}",
            r"\end{table}", "",
        ]
    )  # fmt: skip


def _latex_cell(cell: Cell) -> str:
    if cell.number == "–":
        return "--"
    number, spread = escape_latex(cell.number), escape_latex(cell.spread)
    if number.startswith("-"):  # a minus, not a hyphen
        number = f"${number}$"
    text = rf"{number} $\pm$ {spread}" if spread else number
    return rf"\textbf{{{text}}}" if cell.best else text


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$", "–": "--", "·": r"$\cdot$", "→": r"$\to$", "≤": r"$\le$", "≥": r"$\ge$",
    '"': "''", "\n": " ",
}  # fmt: skip


def escape_latex(text: str) -> str:
    r"""Text in which no character means anything to LaTeX.

    Example:
        >>> print(escape_latex("a_b & {c: 50 %}"))
        a\_b \& \{c: 50 \%\}
    """
    return "".join(_LATEX.get(character, character) for character in text)
