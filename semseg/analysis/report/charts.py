"""Make the charts of a report: Plotly figures as plain dicts, each with a summary and a table.

Colours are CSS variables such as `var(--accent)`; the page replaces them by those of its light or dark theme.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple


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
