"""Charts of what a test measures only when asked: calibration, borders, sizes, rows of the picture."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from semseg.analysis.report.charts import Chart, class_labels, figure_of, line_of, rounded


def extra_charts(summary: Mapping[str, Any]) -> list[Chart]:
    """Draw every extra that the results have and that this page knows."""
    drawn = {
        "calibration": _calibration,
        "trimap": _trimap,
        "boundary": _boundary,
        "sizes": _sizes,
        "rows": _rows,
    }
    found = [(draw, summary["extras"].get(name)) for name, draw in drawn.items()]
    charts = [draw(extra, summary) for draw, extra in found if extra]
    calibration = summary["extras"].get("calibration") or {}
    if calibration.get("per_class"):
        charts.insert(1, _calibration_of_classes(calibration["per_class"], summary))
    return charts


def _calibration(extra: Mapping, summary: Mapping) -> Chart:
    bins = extra["bins"]
    middles = [50 * (one["low"] + one["high"]) for one in bins]
    keys = ("confidence", "accuracy", "share")
    rows = [
        [f"{100 * one['low']:.0f} to {100 * one['high']:.0f} %", *(rounded(one[key]) for key in keys)] for one in bins
    ]
    bars = {
        "type": "bar",
        "x": middles,
        "y": [one["accuracy"] for one in bins],
        "width": [96 * (one["high"] - one["low"]) for one in bins],
        "marker": {"color": "var(--accent)", "opacity": 0.75},
        "name": "accuracy",
        "customdata": [[rounded(one["confidence"]), rounded(one["share"])] for one in bins],
        "hovertemplate": (
            "sure of %{customdata[0]} %, right in %{y:.2f} %<br>%{customdata[1]} % of the pixels<extra></extra>"
        ),
    }
    shares = {**bars, "y": [one["share"] for one in bins], "yaxis": "y2", "marker": {"color": "var(--faint)"}}
    shares.update(name="share", hovertemplate="%{y:.2f} % of the pixels<extra></extra>")
    ideal = line_of([0, 100], [0, 100], "as sure as right", "var(--text)", line={"width": 1.5, "dash": "dash"})
    sureness = "higher" if _is_overconfident(bins) else "lower"
    return Chart(
        "calibration",
        "Calibration",
        f"Expected calibration error {rounded(extra['ece'])} %: on the whole its confidence is {sureness} than its "
        "accuracy. Bars below the dashed line are pixels that the model was too sure of; the small bars show how many "
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
        f"A class is right less often than the model is sure of it where the dot of its precision lies left; the error "
        f"is largest for {worst[1]}: ECE {rounded(worst[0]['ece'])} %.",
        summary,
        {
            "confidence": ([one["confidence"] for one in per_class], 11, "var(--faint)"),
            "precision": ([one["precision"] for one in per_class], 11, "var(--accent)"),
        },
        {"ECE %": [rounded(one["ece"]) for one in per_class]},
    )


def _is_overconfident(bins: Sequence[Mapping]) -> bool:
    known = [one for one in bins if one["confidence"] is not None and one["accuracy"] is not None]
    return sum((one["confidence"] - one["accuracy"]) * one["share"] for one in known) > 0


def _trimap(extra: Mapping, summary: Mapping) -> Chart:
    widths = extra["widths_px"]
    hover = "within %{x} px of a border<br>%{y:.2f} % wrong<extra></extra>"
    error = line_of(widths, extra["error"], "wrong within the distance", mode="lines+markers", hovertemplate=hover)
    beyond = extra.get("beyond")
    data, text = [error], f"Within {widths[0]} px of a border {rounded(extra['error'][0], 1)} % of the pixels are wrong"
    if beyond and beyond["error"] is not None:
        far = line_of(
            [widths[0], widths[-1]], [beyond["error"]] * 2, "wrong farther away", "var(--muted)", line={"dash": "dot"}
        )
        data.append({**far, "hovertemplate": f"%{{y:.2f}} % wrong beyond {widths[-1]} px<extra></extra>"})
        text += f", farther than {widths[-1]} px {rounded(beyond['error'], 1)} %"
    columns = zip(widths, extra["error"], extra["mIoU"], extra["share"], strict=True)
    rows = [[f"{w} px", rounded(e), rounded(m), rounded(s)] for w, e, m, s in columns]
    if beyond:
        rows.append([f"beyond {widths[-1]} px", rounded(beyond["error"]), None, rounded(beyond["share"])])
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
        f"Counted only within {extra['distance_px']} px of borders, mIoU is {rounded(extra['mIoU'])} %.",
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
    summary_text = f"Share of the pixels found in connected regions of the truth, mean over classes: {', '.join(text)}."
    return _dots("sizes", "By size of the region", summary_text, summary, series, counts)


def _dots(name: str, title: str, text: str, summary: Mapping, series: Mapping, counts: Mapping) -> Chart:
    """Draw one dot per class and series: (values, size of the dot, colour) by name."""
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
        [one, *(rounded(values[i]) for values, _, _ in series.values()), *(values[i] for values in counts.values())]
        for i, one in enumerate(classes)
    ]
    xaxis = {"range": [-3, 103], "dtick": 25, "ticksuffix": " %"}
    yaxis = {"type": "category", "categoryarray": labels, "autorange": "reversed", "dtick": 1}
    figure = figure_of(data, 90 + 24 * len(classes), xaxis, yaxis, showlegend=True)
    return Chart(name, title, text, figure, ["class", *(f"{key} %" for key in series), *counts], rows)


def _rows(extra: Mapping, summary: Mapping) -> Chart:
    edges = extra["edges"]
    places = [50 * (top + bottom) for top, bottom in pairwise(edges)]
    hover = "%{y:.0f} % down the picture<br>%{x:.2f} %<extra></extra>"
    bars = {"type": "bar", "orientation": "h", "x": extra["mIoU"], "y": places, "name": "mIoU", "hovertemplate": hover}
    bars["marker"] = {"color": "var(--accent)"}
    accuracy = line_of(extra["aAcc"], places, "aAcc", "var(--muted)", mode="lines+markers", hovertemplate=hover)
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
        [[where, rounded(miou), rounded(acc), rounded(share)] for where, miou, acc, share in columns],
    )
