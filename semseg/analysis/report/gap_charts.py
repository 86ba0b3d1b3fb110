"""Make the charts of the page about photographs without labels, as Plotly figures."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semseg.analysis.report.charts import Chart, category_axis, class_labels, figure_of, format_number

TITLES = {
    "score": "Score: 1 minus the expected mIoU",
    "confidence": "Confidence",
    "entropy": "Entropy",
    "flip_consistency": "Flip consistency",
    "share_distance": "Distance of the class shares",
}
_NUM_BINS = 20
_COLORS = {"reference": "var(--faint)", "folder": "var(--accent)"}


def distribution(name: str, folder: np.ndarray, reference: np.ndarray, mean_place: float) -> Chart:
    """Draw the distributions of a feature in the folder and in the reference.

    Args:
        name: of the feature.
        folder: values, 0 to 1, shape (images,).
        reference: as `folder`.
        mean_place: mean share of the reference that is below an image of the folder.
    """
    sides = {"reference": reference, "folder": folder}
    low, high = min(map(np.min, sides.values())), max(map(np.max, sides.values()))
    edges = np.linspace(low, high if high > low else low + 0.01, _NUM_BINS + 1)
    data = []
    for side, values in sides.items():
        shares = 100 * np.histogram(values, edges)[0] / len(values)
        data.append(
            {
                "type": "bar",
                "name": side,
                "x": (edges[:-1] + np.diff(edges) / 2).round(6).tolist(),
                "y": shares.round(3).tolist(),
                "width": float(np.diff(edges)[0]),
                "marker": {"color": _COLORS[side], "opacity": 0.75},
                "hovertemplate": f"%{{y:.1f}} % of the {side} at about %{{x:.3f}}<extra></extra>",
            }
        )
    rows = [
        [side, len(values), *(format_number(float(v), 3) for v in (values.mean(), *np.percentile(values, (5, 50, 95))))]
        for side, values in sides.items()
    ]
    return Chart(
        name.replace("_", "-"),
        TITLES[name],
        f"Mean {folder.mean():.3f}, in the reference {reference.mean():.3f}; on average {100 * mean_place:.0f} % of "
        "the reference are below a photograph of the folder.",
        figure_of(data, 240, {"nticks": 6}, {"ticksuffix": " %", "nticks": 5}, barmode="overlay", showlegend=True),
        ["", "images", "mean", "5 %", "median", "95 %"],
        rows,
    )


def share_chart(rows: Sequence[Mapping[str, Any]], palette: Sequence) -> Chart:
    """Draw the class shares of the folder and the reference side by side; rows as in `gap.json`."""
    labels = class_labels([row["class"] for row in rows], palette)
    data: list[dict[str, Any]] = []
    for side in ("folder", "reference"):
        values = [100 * row[side] for row in rows]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": side,
                "x": [round(value, 3) for value in values],
                "y": labels,
                "marker": {"color": _COLORS[side]},
                "customdata": [html.escape(row["class"], quote=False) for row in rows],
                "hovertemplate": f"%{{customdata}}: %{{x:.2f}} % of the {side}<extra></extra>",
            }
        )
    texts = [f" {100 * row['difference']:+.1f}" if row["is_clear"] else "" for row in rows]
    ends = [100 * max(row["folder"], row["reference"]) for row in rows]
    numbers: dict[str, Any] = {
        "type": "scatter",
        "mode": "text",
        "x": ends,
        "y": labels,
        "text": texts,
        "hoverinfo": "skip",
    }
    data.append({**numbers, "textposition": "middle right", "showlegend": False, "cliponaxis": False})
    table = [
        [
            row["class"],
            format_number(100 * row["folder"]),
            format_number(100 * row["reference"]),
            f"{100 * row['difference']:+.2f}",
            "–" if row["low"] is None else f"{100 * row['low']:+.2f} to {100 * row['high']:+.2f}",
        ]
        for row in rows
    ]
    return Chart(
        "classes",
        "Class shares",
        "Share of the predicted pixels, mean over the photographs. A number is the difference in percentage points; it "
        "is shown if its interval excludes zero.",
        figure_of(
            data,
            60 + 34 * len(rows),
            {"range": [0, 1.12 * max([*ends, 1])], "ticksuffix": " %", "nticks": 6},
            category_axis(labels),
            bargap=0.35,
            showlegend=True,
        ),
        ["class", "folder %", "reference %", "difference", "95 % interval"],
        table,
    )


def truth_chart(points: Mapping[str, tuple[np.ndarray, np.ndarray, Sequence[str]]], correlation: Mapping) -> Chart:
    """Draw the score against the mIoU of the photographs that have labels.

    Args:
        points: score, mIoU in percent (nan where it is unknown), names; by side.
        correlation: as in `gap.json`.
    """
    data = []
    for side, (score, truth, names) in points.items():
        known = np.isfinite(truth)
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": side,
                "x": score[known].round(5).tolist(),
                "y": truth[known].round(3).tolist(),
                "text": [html.escape(name, quote=False) for name, has in zip(names, known, strict=True) if has],
                "marker": {"color": _COLORS[side], "size": 9, "line": {"color": "var(--text)", "width": 0.5}},
                "hovertemplate": "%{text}<br>score %{x:.3f}, mIoU %{y:.2f} %<extra></extra>",
            }
        )
    rows = [
        [TITLES[name].partition(":")[0], *(_correlation(by[side]) for side in ("both", "folder", "reference"))]
        for name, by in correlation.items()
    ]
    return Chart(
        "truth",
        "Score and truth",
        f"Rank correlation of 1 - score with mIoU: both sides together {_correlation(correlation['score']['both'])}, "
        f"folder {_correlation(correlation['score']['folder'])}.",
        figure_of(data, 380, {"title": "score"}, {"title": "mIoU", "ticksuffix": " %"}, showlegend=True),
        ["rank correlation with mIoU", "both", "folder", "reference"],
        rows,
    )


def _correlation(row: Mapping) -> str:
    return "–" if row["value"] is None else f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def keep_chart(rows: Sequence[Mapping[str, Any]], palette: Sequence, share: float) -> Chart:
    """Draw the confidence from which on pixels of a class become pseudo-labels; rows as in `gap.json`."""
    labels = class_labels([row["class"] for row in rows], palette)
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [None if row["threshold"] is None else round(100 * row["threshold"], 4) for row in rows],
        "customdata": [format_number(row["keep_rate"] and 100 * row["keep_rate"]) for row in rows],
        "y": labels,
        "marker": {"color": "var(--accent)"},
        "hovertemplate": "kept from %{x:.2f} % confidence on: %{customdata} % of the class<extra></extra>",
    }
    kept, pixels = (sum(row[key] for row in rows) for key in ("kept", "pixels"))
    table = [
        [
            row["class"],
            "–" if row["threshold"] is None else f"{row['threshold']:.6f}",
            row["pixels"],
            row["kept"],
            "–" if row["keep_rate"] is None else f"{100 * row['keep_rate']:.2f}",
        ]
        for row in rows
    ]
    return Chart(
        "keep-rates",
        "Pseudo-labels",
        f"{100 * kept / max(1, pixels):.1f} % of the pixels are kept: of each class the most certain {100 * share:g} % "
        "and all pixels with the same confidence as the last of these. The bars show the lowest kept confidence.",
        figure_of(
            [bars],
            60 + 24 * len(rows),
            {"ticksuffix": " %", "range": [0, 100]},
            category_axis(labels),
        ),
        ["class", "least confidence", "pixels", "kept", "kept %"],
        table,
    )
