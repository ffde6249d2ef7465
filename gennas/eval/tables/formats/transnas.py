"""TransNAS-Bench-101: 7,352 networks on seven vision tasks, from ``transnas-bench_v10141024.pth``.

Source: Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of Cross-Task Neural
Architecture Search", CVPR 2021, arXiv 2105.11871.

The object is ``{"metrics_dict": {task: [metric]}, "info_names": […], "task_list": […], "data": {"macro" or "micro":
{text: {task: {"total_epochs", "metrics": {metric: [number of each epoch]}, "model_info": {name: number}}}}}}``, texts
being ``64-1234-basic`` (macro) and ``64-41414-1_02_333`` (micro).
"""

from __future__ import annotations

from typing import Any

from gennas.errors import TableError, shown
from gennas.eval.tables.formats.base import Rows, Source, number

__all__ = ["is_transnas", "read_transnas"]


def is_transnas(content: Any) -> bool:
    """Whether an unpickled object has the structure."""
    return isinstance(content, dict) and {"data", "metrics_dict", "task_list"} <= content.keys()


def read_transnas(source: Source, content: dict[str, Any]) -> Rows:
    """One row for each architecture of a part, ``micro`` or ``macro``.

    Columns are ``jigsaw_test_top1`` and the like after the last epoch, with ``_best`` the best over all epochs of
    what ``valid`` measured, and ``jigsaw_encoder_params`` and the like.

    Raises:
        TableError: another structure, or both parts and none is chosen.
    """
    parts = content["data"]
    if not isinstance(parts, dict) or not parts:
        raise TableError(f"{source.name}: expected architectures by part, got {type(parts).__name__}.")
    if source.part not in parts and (source.part is not None or len(parts) > 1):
        found = ", ".join(f"{name} ({len(archs):,} architectures)" for name, archs in parts.items())
        raise TableError(f"{source.name}: expected one search space: choose with --part among {found}.")
    part = source.part or next(iter(parts))
    tasks = [str(task) for task in content["task_list"]]
    source.check_dataset(tasks)
    rows = []
    for done, (text, results) in enumerate(parts[part].items(), 1):
        try:
            row: dict[str, Any] = {"arch": str(text)}
            for task in filter(source.wants, tasks):
                row |= _of_task(source.prefix(task), results[task])
            rows.append(row)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise TableError(
                f"{source.name}: architecture {shown(str(text)[:40])}: expected metrics and model_info of every task "
                f"({type(error).__name__}: {error})."
            ) from error
        source.progress(done, len(parts[part]))
    names = dict.fromkeys(name for row in rows for name in row)
    cells = {name: [row.get(name) for row in rows] for name in names}
    return Rows(cells, f"transnas-{part}", ("epochs before the last",))


def _of_task(prefix: str, result: dict[str, Any]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for metric, values in result["metrics"].items():
        numbers = [number(value) for value in (values.tolist() if hasattr(values, "tolist") else values)]
        found[f"{prefix}{metric}"] = numbers[-1]
        if metric.startswith("valid"):
            found[f"{prefix}{metric}_best"] = max((n for n in numbers if n is not None), default=None)
    return found | {f"{prefix}{name}": number(value) for name, value in result.get("model_info", {}).items()}
