"""Curves of a supernet's training, and inherited against stand-alone scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from gennas.report.charts import PALETTE, Figure, finite

if TYPE_CHECKING:
    from gennas.training.supernet import Diagnosis

__all__ = ["inherited_chart", "supernet_charts"]

ENTROPY = "alpha_entropy"
SHARES = ("skip_share", "path_fairness", "collapsed")
TITLES = {
    ENTROPY: "entropy of decisions (nats)",
    "share": "share",
    "loss": "loss",
    "alpha_curvature": "largest eigenvalue (curvature)",
}
NAMES = {
    "skip_share": "share of skips",
    "path_fairness": "fairness of paths",
    "collapsed": "monitor fired",
    ENTROPY: "mean",
    "alpha_curvature": "largest eigenvalue",
}
LEAST_SPAN = 0.2  # nats
MAX_CHARTS = 8
MAX_NAMED = len(PALETTE)  # decisions with a colour each
MAX_MARKED = 30  # epochs that are dots, too
_SCALE = [[0.0, "#56B4E9"], [1.0, "#D55E00"]]  # told apart on white and on black

Curve = Sequence[float | None]


def supernet_charts(curves: Mapping[str, Curve]) -> list[tuple[str, Figure]]:
    """A chart for entropies, shares, losses and every other recorded figure, over epochs, with its title.

    Args:
        curves: by name, one value per epoch.
    """
    groups: dict[str, dict[str, Curve]] = {ENTROPY: {}, "share": {}, "alpha_curvature": {}, "loss": {}}
    for name, curve in curves.items():
        if any(finite(v) is not None for v in curve):
            groups.setdefault(_group(name), {})[name] = curve
    found = [(group, lines) for group, lines in groups.items() if lines][:MAX_CHARTS]
    return [(TITLES.get(group, group.replace("_", " ")), _chart(group, lines)) for group, lines in found]


def inherited_chart(diagnosis: Diagnosis) -> Figure:
    """Every architecture by its inherited and its stand-alone score, coloured by its number of parameters."""
    sizes = [finite(v) for v in diagnosis.parameters]
    marker: Figure = {"color": PALETTE[0], "size": 9, "opacity": 0.9}
    if len(set(sizes)) > 1 and None not in sizes:
        bar = {"title": {"text": "parameters", "side": "right"}, "thickness": 10, "outlinewidth": 0, "tickformat": "~s"}
        marker |= {"color": sizes, "colorscale": _SCALE, "colorbar": bar}
    texts = ["<br>".join(escape(line) for line in wrap(text, 56)) for text in diagnosis.texts]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "name": "architectures",
        "x": [finite(v) for v in diagnosis.inherited],
        "y": [finite(v) for v in diagnosis.alone],
        "text": [f"{text}<br>{size:,.0f} parameters" for text, size in zip(texts, diagnosis.parameters, strict=True)],
        "hovertemplate": "%{text}<br>inherited %{x:.4~g}, alone %{y:.4~g}<extra></extra>",
        "marker": marker,
    }
    name = escape(diagnosis.metric)
    layout = {
        "height": 380,
        "showlegend": False,
        "xaxis": {"title": {"text": f"inherited {name}"}},
        "yaxis": {"title": {"text": f"{name} after training alone"}},
    }
    return {"data": [dots], "layout": layout}


def _group(name: str) -> str:
    if name.partition("/")[0] == ENTROPY:
        return ENTROPY
    return "share" if name in SHARES else "loss" if name.endswith("loss") else name


def _chart(group: str, curves: Mapping[str, Curve]) -> Figure:
    y_axis: dict[str, Any] = {"title": {"text": escape(TITLES.get(group, group.replace("_", " ")))}}
    if group == "share":
        y_axis["range"] = [-0.03, 1.04]
    elif group == ENTROPY:
        y_axis["range"] = _span([v for curve in curves.values() for value in curve if (v := finite(value)) is not None])
    epochs = max(map(len, curves.values()))
    x_axis: dict[str, Any] = {"title": {"text": "epoch"}, "range": [1 - 0.04 * epochs, epochs + 0.04 * epochs]}
    if epochs <= 10:
        x_axis["dtick"] = 1
    lines = _entropies(curves) if group == ENTROPY else [
        _line(NAMES.get(name, name.replace("_", " ")), curve, color, 2, True)
        for (name, curve), color in zip(sorted(curves.items()), PALETTE, strict=False)
    ]  # fmt: skip
    layout = {
        "height": 380 if group == ENTROPY else 340,
        "xaxis": x_axis,
        "yaxis": y_axis,
        "showlegend": any(x["showlegend"] for x in lines),
    }
    if len(lines) == 1:  # the axis says what it is
        layout["showlegend"] = False
        y_axis["title"] = {"text": lines[0]["name"]} if group == "share" else y_axis["title"]
    return {"data": lines, "layout": layout}


def _span(values: Sequence[float]) -> list[float]:
    """A range around values that does not blow up what hardly differs."""
    low, high = min(values), max(values)
    pad = 0.06 * (high - low) + max(0.0, LEAST_SPAN - (high - low)) / 2
    return [low - pad, high + pad]


def _entropies(curves: Mapping[str, Curve]) -> list[Figure]:
    """The mean in front of every decision; of many only the surest and the least sure have a colour and a name."""
    places = sorted(name for name in curves if name != ENTROPY)
    colors = dict(zip(places, PALETTE, strict=False))
    if len(places) > MAX_NAMED:
        last = {name: [v for value in curves[name] if (v := finite(value)) is not None][-1] for name in places}
        colors = {
            min(places, key=lambda name: last[name]): PALETTE[0],
            max(places, key=lambda name: last[name]): PALETTE[1],
        }
    lines = [
        _line(name.partition("/")[2].replace("_", " "), curves[name], colors.get(name, "soft"), 1, name in colors)
        for name in sorted(places, key=lambda name: (name in colors, name))
    ]
    if ENTROPY in curves:
        mean = _line(NAMES[ENTROPY], curves[ENTROPY], "ink", 3, True)
        mean["line"]["dash"] = "dot"  # decisions that go with it are seen below it
        lines.append(mean)
    return lines


def _line(name: str, curve: Curve, color: str, width: int, is_named: bool) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(curve) <= MAX_MARKED else "lines",
        "name": escape(name),
        "showlegend": is_named,
        "x": list(range(1, len(curve) + 1)),
        "y": [finite(v) for v in curve],
        "opacity": 1.0 if is_named else 0.45,
        "hovertemplate": f"{escape(name)}, epoch %{{x}}: %{{y:.4~g}}<extra></extra>",
        "line": {"color": color, "width": width},
        "marker": {"color": color, "size": 3 + width},
    }
