"""Make the charts of the page that compares models: learning curves, IoU per class, time against score."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from semseg.analysis.comparison.figures import Figures, Score
from semseg.analysis.curves import Curve, smoothed
from semseg.analysis.report.charts import (
    NUM_COLORS,
    Chart,
    category_axis,
    class_labels,
    class_orders,
    color_of,
    error_bars,
    figure_of,
    format_number,
    line_of,
    percent_axis,
)
from semseg.analysis.report.collect import evenly

_NUM_POINTS, _NUM_ROWS = 400, 20  # of a curve: in the chart, in the table
_BAR_PX = 13


def curve_charts(figures: Sequence[Figures], by_minutes: bool) -> list[Chart]:
    """Draw the mIoU of the validations and the loss, means over the seeds, for all models.

    Args:
        figures: of the models.
        by_minutes: over the minutes of training, instead of the iterations.
    """
    charts = []
    for key, title in (("mIoU", "mIoU of the validations"), ("loss", "Loss")):
        curves = [mean_curve([of_seed[key] for of_seed in one.curves if key in of_seed]) for one in figures]
        if any(curve is not None for curve in curves):
            charts.append(_curve_chart(key, title, figures, curves, by_minutes))
    return charts


def mean_curve(curves: Sequence[Curve]) -> Curve | None:
    """Return the mean of curves at the iterations that all of them have; None if there is none."""
    if not curves:
        return None
    shared = curves[0].iterations
    for curve in curves[1:]:
        shared = np.intersect1d(shared, curve.iterations)
    if not len(shared):
        return None
    values = [curve.values[np.isin(curve.iterations, shared)] for curve in curves]
    return Curve(shared, np.mean(values, axis=0))


def _curve_chart(
    key: str, title: str, figures: Sequence[Figures], curves: Sequence[Curve | None], by_minutes: bool
) -> Chart:
    unit = " %" if key == "mIoU" else ""
    data, rows = [], []
    for place, (one, curve) in enumerate(zip(figures, curves, strict=True)):
        if curve is None:
            continue
        if key == "loss":
            curve = smoothed(curve, max(1, len(curve.values) // 20))
        indices = evenly(range(len(curve.values)), _NUM_POINTS)
        step = one.step_s / 60 if by_minutes and one.step_s is not None else 1
        x = [round(float(curve.iterations[i]) * step, 3) for i in indices]
        y = [float(curve.values[i]) if math.isfinite(curve.values[i]) else None for i in indices]
        name = html.escape(one.model.name, quote=False)
        more: dict[str, Any] = {"hovertemplate": f"{name}<br>%{{y:.2f}}{unit} at %{{x}}<extra></extra>"}
        if key == "mIoU":
            more |= {"mode": "lines+markers", "marker": {"size": 6, "color": color_of(place)}}
        line = {"dash": "dash" if place >= NUM_COLORS else "solid"}
        data.append(line_of(x, y, name, color_of(place), line=line, **more))
        rows += [
            [one.model.name, f"{x[i]:g}", format_number(y[i], 2 if key == "mIoU" else 4)]
            for i in evenly(range(len(x)), _NUM_ROWS)
        ]
    axis = "minutes of training" if by_minutes else "iteration"
    yaxis = {"ticksuffix": unit, "nticks": 6, **({"rangemode": "tozero"} if key == "mIoU" else {})}
    summary = f"Mean over the seeds, over the {'minutes of training' if by_minutes else 'iterations'}."
    if key == "loss":
        summary += " The heights of different kinds of losses cannot be compared."
    return Chart(
        f"curve-{key}",
        title,
        summary,
        figure_of(data, 320, {"title": axis, "rangemode": "tozero"}, yaxis),
        ["model", axis, key + unit],
        rows,
    )


def class_chart(figures: Sequence[Figures]) -> Chart:
    """Draw the IoU of each class with its interval, a bar for each model."""
    summary = figures[0].results[0].summary
    labels = class_labels(summary["classes"], summary["palette"])
    data, rows = [], []
    for place, one in enumerate(figures):
        name = html.escape(one.model.name, quote=False)
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": name,
                "x": [_finite(score.value) for score in one.classes],
                "y": labels,
                "marker": {"color": color_of(place)},
                "error_x": error_bars((score[:3] for score in one.classes), "var(--text)", 2),
                "customdata": [interval_text(score) for score in one.classes],
                "hovertemplate": f"{name}<br>IoU %{{x:.2f}} %, interval %{{customdata}}<extra></extra>",
            }
        )
    for place, name in enumerate(summary["classes"]):
        of_models = [one.classes[place] for one in figures]
        cells = [f"{format_number(_finite(score.value))} ({interval_text(score)})" for score in of_models]
        rows.append([name, *cells])
    num_best = {one.model.name: 0 for one in figures}
    for place in range(len(labels)):
        first, *others = sorted(figures, key=lambda one, place=place: -(_finite(one.classes[place].value) or 0.0))
        if not others or first.classes[place].value > others[0].classes[place].value:
            num_best[first.model.name] += 1
    leader = max(num_best, key=num_best.__getitem__)
    return Chart(
        "classes",
        "IoU per class",
        f"{leader} is best in {num_best[leader]} of {len(labels)} classes. Lines are 95 % intervals for another"
        " choice of test images.",
        figure_of(
            data,
            70 + (_BAR_PX * len(figures) + 12) * len(labels),
            percent_axis(104),
            category_axis(labels),
            barmode="group",
            bargap=0.25,
        ),
        ["class", *(f"{one.model.name}, %" for one in figures)],
        rows,
    )


def latency_chart(figures: Sequence[Figures]) -> Chart:
    """Draw mIoU against the CPU latency; the area of a point grows with the number of parameters."""
    largest = max(one.num_parameters for one in figures)
    data, rows = [], []
    for place, one in enumerate(figures):
        score, latency_ms = one.scores["mIoU"], 1000 * one.latency["seconds"]
        name = html.escape(one.model.name, quote=False)
        size = 8 + 24 * math.sqrt(one.num_parameters / largest)
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [round(latency_ms, 1)],
                "y": [_finite(score.value)],
                "marker": {"color": color_of(place), "size": size, "opacity": 0.85},
                "error_y": error_bars([score[:3]], "var(--muted)", 3),
                "hovertemplate": f"{name}<br>mIoU %{{y:.2f}} %, %{{x}} ms, {one.num_parameters:,} parameters"
                "<extra></extra>",
            }
        )
        rows.append(
            [one.model.name, format_number(latency_ms, 1), format_number(_finite(score.value)), one.num_parameters]
        )
    return Chart(
        "latency",
        "Speed and score",
        "mIoU against the time for one picture on a CPU; a larger point has more parameters.",
        figure_of(
            data,
            320,
            {"title": "ms for one picture", "rangemode": "tozero"},
            {"title": "mIoU", "rangemode": "tozero", "ticksuffix": " %"},
        ),
        ["model", "ms for one picture", "mIoU %", "parameters"],
        rows,
    )


def interval_text(score: Score) -> str:
    """Write the interval of a score; a dash if it is not defined."""
    return f"{score.low:.2f} to {score.high:.2f}" if math.isfinite(score.low + score.high) else "–"


def orders_of_classes(figures: Sequence[Figures]) -> dict[str, list[int]]:
    """Return the orders of the classes, see `class_orders`: by the mean IoU of the models, and by their spread."""
    rows = figures[0].results[0].summary["per_class"]
    of_classes = [[_finite(one.classes[place].value) for one in figures] for place in range(len(rows))]
    known = [[value for value in values if value is not None] for values in of_classes]
    means = [float(np.mean(values)) if values else None for values in known]
    return class_orders(rows, means, [min(values) - max(values) if values else None for values in known])


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
