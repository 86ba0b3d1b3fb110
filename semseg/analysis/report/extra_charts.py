"""Make the charts of optional measurements: calibration, borders, region sizes, rows of the picture."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from semseg.analysis.report.charts import Chart, class_labels, figure_of, format_number, line_of


def extra_charts(summary: Mapping[str, Any]) -> list[Chart]:
    """Draw the optional measurements that the results contain."""
    functions = {
        "calibration": _calibration,
        "trimap": _trimap,
        "boundary": _boundary,
        "sizes": _sizes,
        "rows": _rows,
    }
    extras = summary["extras"]
    charts = [draw(extras[name], summary) for name, draw in functions.items() if extras.get(name)]
    calibration = summary["extras"].get("calibration") or {}
    if calibration.get("per_class"):
        charts.insert(1, _calibration_of_classes(calibration["per_class"], summary))
    return charts


def _calibration(extra: Mapping, summary: Mapping) -> Chart:
    bins = extra["bins"]
    middles = [50 * (own["low"] + own["high"]) for own in bins]
    keys = ("confidence", "accuracy", "share")
    rows = [
        [f"{100 * own['low']:.0f} to {100 * own['high']:.0f} %", *(format_number(own[key]) for key in keys)]
        for own in bins
    ]
    bars = {
        "type": "bar",
        "x": middles,
        "y": [own["accuracy"] for own in bins],
        "width": [96 * (own["high"] - own["low"]) for own in bins],
        "marker": {"color": "var(--accent)", "opacity": 0.75},
        "name": "accuracy",
        "customdata": [[format_number(own["confidence"]), format_number(own["share"])] for own in bins],
        "hovertemplate": (
            "confidence %{customdata[0]} %, correct %{y:.2f} %<br>%{customdata[1]} % of the pixels<extra></extra>"
        ),
    }
    shares = {**bars, "y": [own["share"] for own in bins], "yaxis": "y2", "marker": {"color": "var(--faint)"}}
    shares.update(name="share", hovertemplate="%{y:.2f} % of the pixels<extra></extra>")
    ideal = line_of([0, 100], [0, 100], "confidence = accuracy", "var(--text)", line={"width": 1.5, "dash": "dash"})
    comparison = "higher" if _is_overconfident(bins) else "lower"
    return Chart(
        "calibration",
        "Calibration",
        f"Expected calibration error {format_number(extra['ece'])} %: overall, the confidence is {comparison} than the "
        "accuracy. Where bars are below the dashed line, the model is too confident; the small bars show how many "
        "pixels there are.",
        figure_of(
            [bars, shares, {**ideal, "hoverinfo": "skip"}],
            360,
            {"title": "confidence", "range": [0, 100], "ticksuffix": " %"},
            {"title": "right", "range": [0, 100], "ticksuffix": " %", "domain": [0.3, 1]},
            yaxis2={
                "domain": [0, 0.2],
                "gridcolor": "var(--line)",
                "nticks": 3,
                "ticksuffix": " %",
                "fixedrange": True,
            },
        ),
        ["confidence", "mean confidence %", "right %", "share of pixels %"],
        rows,
    )


def _calibration_of_classes(per_class: Sequence[Mapping], summary: Mapping) -> Chart:
    worst = max(zip(per_class, summary["classes"], strict=True), key=lambda pair: pair[0]["ece"] or 0)
    return _dots(
        "calibration-classes",
        "Calibration per predicted class",
        f"Where the dot of the precision is left of that of the confidence, the model is too confident; the error is "
        f"largest for {worst[1]}: ECE {format_number(worst[0]['ece'])} %.",
        summary,
        {
            "confidence": ([own["confidence"] for own in per_class], 11, "var(--faint)"),
            "precision": ([own["precision"] for own in per_class], 11, "var(--accent)"),
        },
        {"ECE %": [format_number(own["ece"]) for own in per_class]},
    )


def _is_overconfident(bins: Sequence[Mapping]) -> bool:
    known = [own for own in bins if own["confidence"] is not None and own["accuracy"] is not None]
    return sum((own["confidence"] - own["accuracy"]) * own["share"] for own in known) > 0


def _trimap(extra: Mapping, summary: Mapping) -> Chart:
    widths = extra["widths_px"]
    hover = "within %{x} px of a border<br>%{y:.2f} % wrong<extra></extra>"
    error = line_of(widths, extra["error"], "wrong within the distance", mode="lines+markers", hovertemplate=hover)
    beyond = extra.get("beyond")
    data = [error]
    text = f"Within {widths[0]} px of a border {format_number(extra['error'][0], 1)} % of the pixels are wrong"
    if beyond and beyond["error"] is not None:
        far = line_of(
            [widths[0], widths[-1]], [beyond["error"]] * 2, "wrong farther away", "var(--muted)", line={"dash": "dot"}
        )
        data.append({**far, "hovertemplate": f"%{{y:.2f}} % wrong beyond {widths[-1]} px<extra></extra>"})
        text += f", farther than {widths[-1]} px {format_number(beyond['error'], 1)} %"
    columns = zip(widths, extra["error"], extra["mIoU"], extra["share"], strict=True)
    rows: list[list] = [[f"{w} px", format_number(e), format_number(m), format_number(s)] for w, e, m, s in columns]
    if beyond:
        rows.append([f"beyond {widths[-1]} px", format_number(beyond["error"]), None, format_number(beyond["share"])])
    return Chart(
        "trimap",
        "Near borders",
        text + ".",
        figure_of(
            data,
            300,
            {"title": "distance to a true border, pixels", "type": "log", "tickvals": widths, "ticktext": widths},
            {"title": "wrong", "rangemode": "tozero", "ticksuffix": " %"},
            showlegend=True,
        ),
        ["within", "wrong %", "mIoU %", "share of pixels %"],
        rows,
    )


def _boundary(extra: Mapping, summary: Mapping) -> Chart:
    iou = [row["IoU"] for row in summary["per_class"]]
    return _dots(
        "boundary",
        "Boundary IoU",
        f"Counted only within {extra['distance_px']} px of borders, mIoU is {format_number(extra['mIoU'])} %.",
        summary,
        {"IoU": (iou, 11, "var(--faint)"), "boundary IoU": (extra["per_class"], 11, "var(--accent)")},
        {},
    )


def _sizes(extra: Mapping, summary: Mapping) -> Chart:
    low, high = extra["bounds_px"]
    names = [f"{n} ({b})" for n, b in zip(extra["names"], (f"< {low} px", f"to {high} px", "more"), strict=True)]
    colors = ("var(--bad)", "var(--muted)", "var(--accent)")
    series = {n: (r, s, c) for n, r, s, c in zip(names, extra["recall"], (7, 11, 15), colors, strict=True)}
    means = [[value for value in recall if value is not None] for recall in extra["recall"]]
    text = [f"{n} {sum(m) / len(m):.1f} %" for n, m in zip(extra["names"], means, strict=True) if m]
    counts = {f"regions, {n}": c for n, c in zip(extra["names"], extra["objects"], strict=True)}
    summary_text = (
        f"Share of correctly predicted pixels in connected regions of the truth, mean over classes: {', '.join(text)}."
    )
    return _dots("sizes", "By size of the region", summary_text, summary, series, counts)


def _dots(name: str, title: str, text: str, summary: Mapping, series: Mapping, counts: Mapping) -> Chart:
    """Draw a dot per class and series.

    Args:
        name, title, text: of the chart.
        summary: of the results.
        series: (values, size of the dot, colour), by name.
        counts: further columns of the table, by name.
    """
    classes, labels = summary["classes"], class_labels(summary["classes"], summary["palette"])
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": html.escape(key, quote=False),
            "x": values,
            "y": labels,
            "marker": {"size": size, "color": color},
            "hovertemplate": f"%{{y}}<br>{html.escape(key, quote=False)} %{{x:.2f}} %<extra></extra>",
        }
        for key, (values, size, color) in series.items()
    ]
    rows = [
        [
            label,
            *(format_number(values[i]) for values, _, _ in series.values()),
            *(values[i] for values in counts.values()),
        ]
        for i, label in enumerate(classes)
    ]
    xaxis = {"range": [-3, 103], "dtick": 25, "ticksuffix": " %"}
    yaxis = {"type": "category", "categoryarray": labels, "autorange": "reversed", "dtick": 1}
    figure = figure_of(data, 90 + 24 * len(classes), xaxis, yaxis, showlegend=True)
    return Chart(name, title, text, figure, ["class", *(f"{key} %" for key in series), *counts], rows)


def _rows(extra: Mapping, summary: Mapping) -> Chart:
    edges = extra["edges"]
    middles = [50 * (top + bottom) for top, bottom in pairwise(edges)]
    hover = "%{y:.0f} % down the picture<br>%{x:.2f} %<extra></extra>"
    bars = {"type": "bar", "orientation": "h", "x": extra["mIoU"], "y": middles, "name": "mIoU", "hovertemplate": hover}
    bars["marker"] = {"color": "var(--accent)"}
    accuracy = line_of(extra["aAcc"], middles, "aAcc", "var(--muted)", mode="lines+markers", hovertemplate=hover)
    shown = [f"{100 * a:.0f} to {100 * b:.0f} %" for a, b in pairwise(edges)]
    columns = zip(shown, extra["mIoU"], extra["aAcc"], extra["share"], strict=True)
    return Chart(
        "rows",
        "By height in the picture",
        "From the top of the pictures, where streets are far away, to the bottom.",
        figure_of(
            [bars, accuracy],
            320,
            {"range": [0, 102], "ticksuffix": " %"},
            {
                "title": "top to bottom",
                "range": [100, 0],
                "dtick": 25,
                "ticksuffix": " %",
            },
            bargap=0.12,
            showlegend=True,
        ),
        ["from the top", "mIoU %", "aAcc %", "share of pixels %"],
        [[where, format_number(miou), format_number(acc), format_number(share)] for where, miou, acc, share in columns],
    )
