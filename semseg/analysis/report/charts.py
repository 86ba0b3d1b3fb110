"""Make the charts of a report: Plotly figures as plain dicts, each with a summary and a table.

Colours are CSS variables such as `var(--accent)`; the page replaces them by those of its light or dark theme.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class Chart(NamedTuple):
    """A chart, with its content as text and as a table.

    Attributes:
        name: id in the page.
        title: heading above it.
        summary: one sentence, also for screen readers.
        figure: data and layout, in the format of Plotly.js.
        head: column names of the table.
        rows: of the table: text, numbers, None for undefined values.
    """

    name: str
    title: str
    summary: str
    figure: dict[str, Any]
    head: Sequence[str]
    rows: Sequence[Sequence]


NUM_COLORS = 8
"""Colours of page.css, `--series-0` and so on."""


def color_of(place: int) -> str:
    """Return the colour of a series, by its place; after `NUM_COLORS`, they are used again."""
    return f"var(--series-{place % NUM_COLORS})"


def format_number(value: float | None, digits: int = 2) -> str:
    """Format a number with fixed digits; a dash for None."""
    return "–" if value is None else f"{value:.{digits}f}"


def class_labels(classes: Sequence[str], palette: Sequence) -> list[str]:
    """Return names with a square in their colour, as HTML that Plotly supports."""
    return [
        f'{html.escape(name, quote=False)} <span style="color:rgb({r},{g},{b})">■</span>'
        for name, (r, g, b) in zip(classes, palette, strict=True)
    ]


def figure_of(data: list[dict], height: int, xaxis: dict, yaxis: dict, **layout: Any) -> dict[str, Any]:
    """Return a figure in the style of the page.

    Args:
        data: traces.
        height: px.
        xaxis: as in Plotly, except that `title` is a string.
        yaxis: as `xaxis`.
        layout: further entries of the layout.
    """
    axis = {
        "gridcolor": "var(--line)",
        "linecolor": "var(--line)",
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
        "title": {"standoff": 8, "font": {"size": 12, "color": "var(--muted)"}},
    }

    def completed(own: dict) -> dict:
        return {**axis, **own, "title": {**axis["title"], "text": own.get("title", "")}}

    return {
        "data": data,
        "layout": {
            "height": height,
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": "var(--font)", "size": 12, "color": "var(--text)"},
            "hoverlabel": {
                "bgcolor": "var(--surface)",
                "bordercolor": "var(--line)",
                "font": {"family": "var(--font)", "size": 13, "color": "var(--text)"},
            },
            "dragmode": False,
            "showlegend": False,
            "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
            "xaxis": completed(xaxis),
            "yaxis": completed(yaxis),
            **layout,
        },
    }


def line_of(x: Sequence, y: Sequence, name: str, color: str = "var(--accent)", **more: Any) -> dict[str, Any]:
    """Return the trace of a line; `more` are further entries of the trace."""
    line = {"color": color, "width": 2, **more.pop("line", {})}
    return {"type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "name": name, "line": line, **more}


def error_bars(scores: Iterable[tuple[float | None, float | None, float | None]], color: str, width: int) -> dict:
    """Return the error bars of a trace; a score that is not defined, or has no interval, gets none.

    Args:
        scores: value, low and high end of the interval; None or nan if they are not defined.
        color: of the lines.
        width: px of their ends.
    """
    ends = [
        (max(0.0, high - value), max(0.0, value - low))
        if value is not None and low is not None and high is not None and math.isfinite(value + low + high)
        else (0.0, 0.0)
        for value, low, high in scores
    ]
    above, below = ([pair[side] for pair in ends] for side in (0, 1))
    lines = {"color": color, "thickness": 1, "width": width}
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, **lines}


def percent_axis(end: int) -> dict[str, Any]:
    """Return an axis from 0 to 100 %; what is beyond, up to `end`, is room for text."""
    return {"range": [0, end], "tickvals": [0, 25, 50, 75, 100], "ticktext": ["0 %", "25", "50", "75", "100"]}


def category_axis(labels: Sequence[str]) -> dict[str, Any]:
    """Return a vertical axis with labels, from top to bottom."""
    return {"type": "category", "categoryarray": labels, "autorange": "reversed", "showgrid": False}


def class_orders(
    rows: Sequence[Mapping[str, Any]], iou: Sequence[float | None], differences: Sequence[float | None] | None = None
) -> dict[str, list[int]]:
    """Return the orders of the classes that the user can choose, as indices into the table: see page.js.

    Args:
        rows: `per_class` of the results.
        iou: of each class; None if it is not defined.
        differences: of each class, the first one at the top; None if it is not defined.
    """
    keys: dict[str, Callable[[int], Any]] = {
        "table": lambda i: i,
        "lowest": lambda i: (iou[i] is None, iou[i]),
        "highest": lambda i: (iou[i] is None, -(iou[i] or 0)),
        "name": lambda i: rows[i]["class"].casefold(),
        "pixels": lambda i: -rows[i]["truth_pixels"],
    }
    if differences is not None:
        keys["difference"] = lambda i: (differences[i] is None, differences[i])
    return {name: sorted(range(len(rows)), key=key) for name, key in keys.items()}


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
