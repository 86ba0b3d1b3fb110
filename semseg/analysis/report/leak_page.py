"""Write the page that shows by how much related training images flatter a score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from semseg.analysis.leak import Leak, Part
from semseg.analysis.report.charts import Chart, category_axis, color_of, error_bars, figure_of, format_number
from semseg.analysis.report.page import fill
from semseg.system.atomic import atomic_path


def write_page(path: Path, leak: Leak) -> None:
    """Write the HTML page, which needs no network."""
    summary = leak.results[0].summary
    chart = _chart(leak)
    flattery = next((row for row in leak.scores if row.name == "mIoU"), None)
    page = fill(
        "leak.html",
        name=f"{summary['data']['name']} {summary['data']['split'] or ''}".rstrip(),
        leak=leak,
        flattery=flattery,
        interval=_signed_interval(flattery.low, flattery.high) if flattery else "",
        chart_of_scores=chart,
        part_rows=[
            [name, part.num_groups, part.num_images, *_cells(part.scores["mIoU"]), *_cells(part.scores["aAcc"])]
            for name, part in _rows(leak)
        ],
        difference_rows=[
            [row.name, _number(row.second), _number(row.first), _signed(row.value), _signed_interval(row.low, row.high)]
            for row in [*leak.scores, *leak.classes]
        ],
        seen=leak.seen_less_unseen,
        seen_interval=_signed_interval(leak.seen_less_unseen.low, leak.seen_less_unseen.high)
        if leak.seen_less_unseen
        else "",
        group_rows=[[group or "(no name)", *counts] for group, counts in leak.shared.items()],
        thumbnails=[],
        facts={"figures": {chart.name: chart.figure}, "classOrders": {}, "classes": [], "views": [], "images": []},
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")


def _rows(leak: Leak) -> list[tuple[str, Part]]:
    """Return the parts of the first test, and the second test, with their names on the page."""
    rows = [(part.name, part) for part in leak.parts]
    if leak.without is None:
        return rows
    return [
        ("A: trained with related images", leak.parts[0]),
        *((f"A: {name}", part) for name, part in rows[1:]),
        ("B: trained without them", leak.without),
    ]


def _chart(leak: Leak) -> Chart:
    """Draw the mIoU of each part, and of the second test, with their intervals."""
    rows = [(name, part.scores["mIoU"]) for name, part in _rows(leak)]
    labels = [name for name, _ in rows]
    data = {
        "type": "scatter",
        "mode": "markers",
        "x": [_finite(values[0]) for _, values in rows],
        "y": labels,
        "marker": {"size": 10, "color": [color_of(place) for place in range(len(rows))]},
        "error_x": error_bars((values for _, values in rows), "var(--text)", 4),
        "customdata": [_interval(*values[1:]) for _, values in rows],
        "hovertemplate": "%{y}<br>mIoU %{x:.2f} %, interval %{customdata}<extra></extra>",
    }
    figure = figure_of([data], 70 + 40 * len(rows), {"title": "mIoU", "ticksuffix": " %"}, category_axis(labels))
    table = [[name, *_cells(values)] for name, values in rows]
    return Chart("leak", "mIoU", "Lines are 95 % intervals.", figure, ["images", "mIoU %", "95 % interval"], table)


def _cells(values: Sequence[float]) -> list[str]:
    return [_number(values[0]), _interval(*values[1:])]


def _number(value: float) -> str:
    return format_number(_finite(value))


def _signed(value: float) -> str:
    return f"{value:+.2f}" if math.isfinite(value) else "–"


def _interval(low: float, high: float) -> str:
    return f"{low:.2f} to {high:.2f}" if math.isfinite(low + high) else "–"


def _signed_interval(low: float, high: float) -> str:
    return f"{low:+.2f} to {high:+.2f}" if math.isfinite(low + high) else "–"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
