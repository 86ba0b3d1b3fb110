"""Make the charts of a training: its scalars over the iterations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from semseg.analysis.curves import Curve, best_of, smoothed
from semseg.analysis.report.charts import Chart, figure_of, format_number, line_of
from semseg.analysis.report.collect import evenly

_NUM_POINTS, _NUM_ROWS = 1000, 20  # of a curve: in the chart, in the table
_MANY_POINTS = 40  # from which on a loss is smoothed


def curve_charts(curves: Mapping[str, Curve]) -> list[Chart]:
    """Draw the loss, the learning rate and the validation scores, if they were logged."""
    charts = []
    for key, title in (("loss", "Loss"), ("lr", "Learning rate")):
        if key in curves:
            charts.append(_curve_chart(key, title, curves[key]))
    scores = [key for key in ("mIoU", "mAcc", "aAcc") if key in curves]
    if scores:
        charts.append(_score_chart({key: curves[key] for key in scores}))
    return charts


def _points(curve: Curve) -> tuple[list[int], list[float | None]]:
    indices = evenly(range(len(curve.iterations)), _NUM_POINTS)
    values = [float(curve.values[i]) for i in indices]
    return [int(curve.iterations[i]) for i in indices], [value if np.isfinite(value) else None for value in values]


def _curve_chart(key: str, title: str, curve: Curve) -> Chart:
    x, y = _points(curve)
    data = [line_of(x, y, title, hovertemplate="iteration %{x}<br>%{y:.4g}<extra></extra>")]
    if key == "loss" and len(x) >= _MANY_POINTS:
        mean = _points(smoothed(curve, len(curve.values) // 20))
        faint = {"line": {"width": 1}, "opacity": 0.45, "hoverinfo": "skip"}
        data = [line_of(x, y, "loss", **faint), {**data[0], "y": mean[1], "name": "average over neighbours"}]
    row_indices = evenly(range(len(x)), _NUM_ROWS)
    first, last = ("–" if value is None else f"{value:.3g}" for value in (y[0], y[-1]))
    return Chart(
        f"curve-{key}",
        title,
        f"From {first} at iteration {x[0]} to {last} at {x[-1]}.",
        figure_of(data, 250, {"title": "iteration", "rangemode": "tozero"}, {"rangemode": "tozero", "nticks": 6}),
        ["iteration", title.lower()],
        [[x[i], f"{y[i]:.4g}" if y[i] is not None else None] for i in row_indices],
    )


def _score_chart(curves: Mapping[str, Curve]) -> Chart:
    colors = {"mIoU": "var(--accent)", "mAcc": "var(--muted)", "aAcc": "var(--faint)"}
    data = []
    for key, curve in curves.items():
        hover = f"{key} %{{y:.2f}} %<br>iteration %{{x}}<extra></extra>"
        more = {"mode": "lines+markers", "marker": {"size": 6, "color": colors[key]}, "hovertemplate": hover}
        data.append(line_of(*_points(curve), key, colors[key], **more))
    key, curve = next(iter(curves.items()))
    best = best_of(key, curve)
    layout: dict[str, Any] = {"showlegend": True}
    summary = f"{', '.join(curves)} of {len(curve.values)} validations"
    if best:
        summary += f"; the best {key} is {best[1]:.2f} % at iteration {best[0]}"
        text = f"best {best[1]:.2f}"
        layout["annotations"] = [{"x": best[0], "y": best[1], "text": text, "showarrow": False, "yshift": -16}]
    all_points = {name: dict(zip(*_points(own), strict=True)) for name, own in curves.items()}
    iterations = evenly(sorted(set().union(*all_points.values())), _NUM_ROWS)
    return Chart(
        "curve-scores",
        "Validation",
        summary + ".",
        figure_of(
            data, 250, {"title": "iteration", "rangemode": "tozero"}, {"range": [0, 102], "ticksuffix": " %"}, **layout
        ),
        ["iteration", *(f"{name} %" for name in all_points)],
        [[i, *(format_number(points.get(i)) for points in all_points.values())] for i in iterations],
    )
