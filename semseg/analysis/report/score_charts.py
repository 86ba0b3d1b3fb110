"""Charts of the scores of a test: the IoU of each class, and the confusion matrix."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semseg.analysis.report.charts import (
    Chart,
    category_axis,
    class_labels,
    error_bars,
    figure_of,
    format_number,
    percent_axis,
)


def class_chart(summary: Mapping[str, Any], other: Sequence[Mapping] | None) -> Chart:
    """Draw the IoU of each class with its interval, and optionally that of a second run.

    Args:
        summary: of the results.
        other: `per_class` of the second run.
    """
    rows = summary["per_class"]
    labels = class_labels(summary["classes"], summary["palette"])
    iou = [row["IoU"] for row in rows]
    texts, colors = [format_number(value, 1) for value in iou], ["var(--text)"] * len(rows)
    bars = {
        "type": "bar",
        "orientation": "h",
        "name": "this run",
        "x": iou,
        "y": labels,
        "marker": {"color": "var(--accent)"},
        "error_x": error_bars(((row["IoU"], row["low"], row["high"]) for row in rows), "var(--text)", 3),
        "customdata": [
            [html.escape(row["class"], quote=False), format_number(row["IoU"]), _interval(row)] for row in rows
        ],
        "hovertemplate": "%{customdata[0]}<br>IoU %{customdata[1]} %, interval %{customdata[2]}<extra></extra>",
    }
    data: list[dict[str, Any]] = [bars]
    head = ["class", "IoU %", "95 % interval", "Acc %", "precision %", "F1 %", "pixels in truth", "pixels predicted"]
    table = [
        [
            r["class"],
            format_number(r["IoU"]),
            _interval(r),
            *(format_number(r[key]) for key in ("Acc", "Precision", "F1")),
            r["truth_pixels"],
            r["predicted_pixels"],
        ]
        for r in rows
    ]
    if any(row.get("iIoU") is not None for row in rows):
        head.append("iIoU %")
        table = [[*cells, format_number(row["iIoU"])] for cells, row in zip(table, rows, strict=True)]
    if other:
        gains = [_difference(own["IoU"], its["IoU"]) for own, its in zip(rows, other, strict=True)]
        texts = [text if gain is None else f"{text} ({gain:+.1f})" for text, gain in zip(texts, gains, strict=True)]
        colors = ["var(--bad)" if gain and gain <= -0.05 else "var(--text)" for gain in gains]
        hover = "IoU of the other run %{x:.2f} %<extra></extra>"
        second = {"type": "bar", "orientation": "h", "name": "other run", "y": labels, "x": [r["IoU"] for r in other]}
        data.append({**second, "marker": {"color": "var(--faint)"}, "hovertemplate": hover})
        head += ["IoU % of the other run", "difference"]
        for cells, row, gain in zip(table, other, gains, strict=True):
            cells += [format_number(row["IoU"]), "–" if gain is None else f"{gain:+.2f}"]
    numbers: dict[str, Any] = {"type": "scatter", "mode": "text", "x": [101] * len(rows), "y": labels, "text": texts}
    numbers.update(textposition="middle right", textfont={"color": colors}, hoverinfo="skip", showlegend=False)
    data.append(numbers)
    defined = sorted((value, name) for value, name in zip(iou, summary["classes"], strict=True) if value is not None)
    return Chart(
        "classes",
        "IoU per class",
        f"From {defined[0][1]} with {defined[0][0]:.1f} % to {defined[-1][1]} with {defined[-1][0]:.1f} %."
        if defined
        else "No class has a defined IoU.",
        figure_of(
            data,
            60 + (38 if other else 26) * len(rows),
            percent_axis(124 if other else 112),
            category_axis(labels),
            bargap=0.35,
            showlegend=bool(other),
        ),
        head,
        table,
    )


def _interval(row: Mapping) -> str:
    return "–" if row["low"] is None or row["high"] is None else f"{row['low']:.2f} to {row['high']:.2f}"


def _difference(own: float | None, other: float | None) -> float | None:
    return None if own is None or other is None else own - other


def confusion_chart(summary: Mapping[str, Any]) -> tuple[Chart, dict[str, dict]]:
    """Draw the confusion matrix; rows are the ground truth.

    Returns:
        The chart, which shows shares of the rows, and the entries of its trace for the two units `share` and `pixels`.
    """
    matrix = np.asarray(summary["confusion"], np.int64)
    labels = class_labels(summary["classes"], summary["palette"])
    names = [html.escape(name, quote=False) for name in summary["classes"]]
    total = matrix.sum(1, keepdims=True) + np.reshape(summary["unassigned"], (-1, 1))
    share = np.where(total > 0, 100 * matrix / np.maximum(total, 1), np.nan)
    hover = [
        [f"{p:.2f} % of {t} called {q}<br>{n} pixels" for q, p, n in zip(names, shares, counts, strict=True)]
        if has
        else [f"no pixel of {t} in the truth"] * len(names)
        for t, has, shares, counts in zip(names, total[:, 0] > 0, share, matrix, strict=True)
    ]
    # square root and logarithm, so that small shares and counts are still visible
    top = int(np.ceil(np.log10(max(10, matrix.max(initial=1)))))
    powers = list(range(0, top + 1, max(1, top // 5)))
    ticks = [0, 1, 5, 10, 25, 50, 75, 100]
    variants: dict[str, dict[str, Any]] = {
        "share": {
            "z": _finite(np.sqrt(share)),
            "zmax": 10,
            "bar": (np.sqrt(ticks).tolist(), [f"{t} %" for t in ticks]),
        },
        "pixels": {"z": np.log10(matrix + 1).tolist(), "zmax": top, "bar": (powers, [f"{10**p:,}" for p in powers])},
    }
    for variant in variants.values():
        values, texts = variant.pop("bar")
        bar = {"thickness": 10, "outlinewidth": 0, "tickvals": values, "ticktext": texts, "len": 0.6}
        variant["colorbar"] = bar
    trace = {
        "type": "heatmap",
        "x": labels,
        "y": labels,
        "zmin": 0,
        "xgap": 1,
        "ygap": 1,
        "colorscale": [[0, "var(--cold)"], [0.5, "var(--warm)"], [1, "var(--hot)"]],
        "hovertext": hover,
        "hoverinfo": "text",
        **variants["share"],
    }
    size = max(340, 130 + 27 * len(names))
    figure = figure_of(
        [trace],
        size,
        {"title": "predicted", "tickangle": -90, "showgrid": False, "type": "category", "dtick": 1},
        {"title": "truth", "autorange": "reversed", "showgrid": False, "type": "category", "dtick": 1},
    )
    table = [[name, *map(int, row)] for name, row in zip(summary["classes"], matrix, strict=True)]
    text = f"{len(names)} classes; rows are the truth, columns the prediction."
    return Chart(
        "confusion", "Confusion matrix", text, figure, ["truth \\ predicted", *summary["classes"]], table
    ), variants


def _finite(values: np.ndarray) -> list[list[float | None]]:
    return [[round(v, 4) if np.isfinite(v) else None for v in row] for row in values.tolist()]
