"""A file of weights on decisions: what a person, or a language model, expects to be good."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from gennas.errors import ConfigError, UnknownNameError, reason_of, shown
from gennas.graph import decision_labels
from gennas.runtime.reading import MIB, read_bounded
from gennas.spaces import Space
from gennas.workbench.values import read_value

__all__ = ["read_prior"]

FloatArray = NDArray[np.float64]


def read_prior(path: Path, space: Space) -> FloatArray:
    """The weight of every label of every decision, ``(d, L)``: those of a YAML or JSON file, 1 where it says nothing.

    The file maps names of decisions, as in ``gennas show`` and an archive's export, to a mapping from labels to
    positive numbers: ``layer1.op: {conv3x3: 5, identity: 0.5}``.

    Raises:
        ConfigError: the file cannot be read, has another form, or a weight is not positive.
        UnknownNameError: no such decision, or no such label there.

    Example:
        >>> import tempfile
        >>> from gennas.spaces import NASBench201
        >>> file = Path(tempfile.mkdtemp()) / "prior.yaml"
        >>> _ = file.write_text('"edge 0-1": {nor_conv_3x3: 5}')
        >>> read_prior(file, NASBench201())[0].tolist()
        [1.0, 1.0, 1.0, 5.0, 1.0]
    """
    schema = space.schema
    names = list(decision_labels(schema, []))
    weights = np.ones(schema.decision_mask.shape)
    for decision, by_label in _content(path).items():
        if str(decision) not in names:
            raise UnknownNameError(f"decision in {path}", str(decision), names)
        t = names.index(str(decision))
        if not isinstance(by_label, Mapping):
            raise ConfigError(f"{path}: expected weights of labels for {decision}, got {shown(by_label)}.")
        labels = {schema.label(t, int(s)): int(s) for s in np.flatnonzero(schema.decision_mask[t])}
        for label, weight in by_label.items():
            if str(label) not in labels:
                raise UnknownNameError(f"label of {decision} in {path}", str(label), labels)
            weights[t, labels[str(label)]] = _positive(path, f"{decision}, {label}", weight)
    return weights


def _positive(path: Path, where: str, weight: object) -> float:
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < 1e300:
        raise ConfigError(f"{path}: expected a positive number as weight of {where}, got {shown(weight)}.")
    return float(weight)


def _content(path: Path) -> Mapping[object, object]:
    try:
        text = read_bounded(path, MIB, ConfigError, advice="keep weights only").decode()
        found = json.loads(text) if path.suffix == ".json" else read_value(text)
    except ConfigError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"Cannot read the prior {path}: {reason_of(error)}") from error
    if not isinstance(found, Mapping) or not found:
        raise ConfigError(f"{path}: expected a mapping from decisions to weights of their labels, got {shown(found)}.")
    return found
