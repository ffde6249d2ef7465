"""NAS-Bench-BERT: 500 transformer encoders with eight GLUE scores, from ``BERT_benchmark.json``.

Source: Serianni and Kalita, "Training-free Neural Architecture Search for RNNs and Transformers", ACL 2023, arXiv
2306.00288, on the space of FlexiBERT (Tuli et al., JAIR 2023, arXiv 2205.11656); the data are licensed CC BY 4.0. The
space ``nasbench-bert`` reads the texts.

The structure is ``[{"id", "scores": {"cola", …, "glue"}, "hparams": {"model_hparam_overrides": {"hidden_size",
"nas_config": {"encoder_layers": [{"operation_type", "operation_parameter", "num_operation_heads",
"feed_forward_dimension", "num_feed_forward"}]}}}}]``.
"""

from __future__ import annotations

import json
from typing import Any

from gennas.errors import TableError
from gennas.eval.tables.formats.base import Rows, Source, number

__all__ = ["is_nasbench_bert", "read_nasbench_bert"]


def is_nasbench_bert(content: Any) -> bool:
    """Whether a JSON value has the structure."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and {"scores", "hparams"} <= first.keys()


def read_nasbench_bert(source: Source, content: list[dict[str, Any]]) -> Rows:
    """One row for each encoder; its text is the official dictionary of ``hidden_size`` and ``encoder_layers`` as JSON.

    Raises:
        TableError: another structure.
    """
    rows = []
    for i, record in enumerate(content, 1):
        try:
            overrides = record["hparams"]["model_hparam_overrides"]
            layers = overrides["nas_config"]["encoder_layers"]
            text = json.dumps(
                {"hidden_size": overrides["hidden_size"], "encoder_layers": layers}, separators=(",", ":")
            )
            scores = {name: number(value) for name, value in record["scores"].items()}
            rows.append({"arch": text, "hash": f"#{record.get('id', i - 1)}", **scores})
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise TableError(
                f"{source.name}: record {i}: expected scores and model_hparam_overrides with encoder_layers "
                f"({type(error).__name__}: {error})."
            ) from error
    names = dict.fromkeys(name for row in rows for name in row)
    return Rows({name: [row.get(name) for row in rows] for name in names}, "nasbench-bert", ("training settings",))
