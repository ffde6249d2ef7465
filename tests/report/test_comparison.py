"""Tables of a comparison: numbers, marks, and what Markdown and LaTeX must escape."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gennas.report.comparison import Comparison, columns_of, escape_latex, to_latex, to_markdown


def cells(comparison: Comparison, title: str) -> list[str]:
    return next([c.text for c in column.cells] for column in columns_of(comparison) if column.title == title)


def marked(comparison: Comparison, title: str) -> list[bool]:
    return next([c.best for c in column.cells] for column in columns_of(comparison) if column.title == title)


def test_numbers_have_two_digits_of_the_spread(make_comparison: Callable[..., Comparison]) -> None:
    comparison = make_comparison()
    assert cells(comparison, "val_acc") == ["0.600 ± 0.100", "0.750 ± 0.050", "0.750 ± 0.050"]
    assert cells(comparison, "rank") == ["3.00", "1.50", "1.50"]
    assert cells(comparison, "optimum") == ["0 %", "33 %", "33 %"]
    assert cells(comparison, "evaluations")[0] == "11.0 ± 0.0"


def test_a_single_seed_has_no_spread(make_comparison: Callable[..., Comparison]) -> None:
    assert cells(make_comparison(seeds=1), "test") == ["0.40000", "0.55000", "0.55000"]
    assert "over 1 seed," in make_comparison(seeds=1).caption


def test_the_best_are_marked_ties_too_and_nothing_where_all_are_alike(
    make_comparison: Callable[..., Comparison],
) -> None:
    assert marked(make_comparison(), "val_acc") == [False, True, True]
    assert marked(make_comparison(), "evaluations") == [False, True, True]
    assert not any(marked(make_comparison(optimum_share=[0.0, 0.0, 0.0]), "optimum"))
    assert marked(make_comparison(direction="min"), "val_acc") == [True, False, False]


def test_markdown_is_one_table_with_its_caption(make_comparison: Callable[..., Comparison]) -> None:
    comparison = make_comparison(names=["a|b", "x", "y"])
    text = to_markdown(comparison)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 5 and len({re.sub(r"\\\|", "", row).count("|") for row in rows}) == 1
    assert "`a\\|b`" in text and "**0.750 ± 0.050**" in text
    assert "a miss counting as 11" in text and "found something" in text and "Note: watch out" in text


def test_latex_is_a_balanced_table(make_comparison: Callable[..., Comparison]) -> None:
    comparison = make_comparison(names=["gen@shares={random: 1}", "50%_#&$~^\\", "y"])
    text = "\n".join(line for line in to_latex(comparison).splitlines() if not line.startswith("%"))
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    body = re.search(r"\\midrule\n(.*)\\bottomrule", text, re.DOTALL)
    assert body is not None
    rows = [row for row in body.group(1).strip().splitlines()]
    columns = re.search(r"\\begin\{tabular\}\{(l r*|lr*)\}", text)
    assert columns is not None
    for row in rows:
        assert row.endswith(r"\\") and len(re.findall(r"(?<!\\)&", row)) == len(columns.group(1)) - 1
        assert not re.search(r"(?<!\\)[%#$_](?!\\pm|$)", row.replace(r"$\pm$", ""))
    assert r"\textbf{0.750 $\pm$ 0.050}" in text and r"\toprule" in text
    assert r"\texttt{gen@shares=\{random: 1\}}" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_compiles(make_comparison: Callable[..., Comparison], tmp_path: Path) -> None:
    comparison = make_comparison(names=["gen@shares={random: 1}", '50%_#&$~^\\<>|"', "y"])
    (tmp_path / "table.tex").write_text(to_latex(comparison))
    document = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\\input{table}\\end{document}"
    (tmp_path / "paper.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    if "booktabs.sty' not found" in done.stdout:
        pytest.skip("no booktabs here")
    assert done.returncode == 0, done.stdout[-2000:]


def test_escaping_by_hand() -> None:
    assert escape_latex("a_b%{c}\\") == r"a\_b\%\{c\}\textbackslash{}"
    assert escape_latex("±") == r"$\pm$"
