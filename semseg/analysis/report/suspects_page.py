"""Write the page that shows the labels which are probably wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semseg.analysis.report.charts import Chart, category_axis, class_labels, figure_of
from semseg.analysis.report.page import fill
from semseg.system.atomic import atomic_path


def write_page(
    path: Path,
    account: Mapping[str, Any],
    kinds: Mapping[str, str],
    crops: Sequence[Mapping[str, str]],
) -> None:
    """Write the HTML page, which needs no network.

    Args:
        path: of the HTML file.
        account: content of `suspects.json`.
        kinds: what may be wrong with a label, with a description.
        crops: of the first suspects, data URIs by name of the view.
    """
    chart = _class_chart(account["per_class"], account["palette"])
    colors = dict(zip(account["classes"], account["palette"], strict=True))
    page = fill(
        "suspects.html",
        name=account["data"]["name"],
        account=account,
        kinds=kinds,
        colors=colors,
        chart_of_classes=chart,
        shown=list(zip(account["suspects"], crops, strict=False)),
        thumbnails=[],
        facts={"figures": {chart.name: chart.figure}, "classOrders": {}, "classes": [], "views": [], "images": []},
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")


def _class_chart(rows: Sequence[Mapping[str, Any]], palette: Sequence) -> Chart:
    """Draw the share of the regions of each class that are contradicted."""
    labels = class_labels([row["class"] for row in rows], palette)
    shares = [100 * row["contradicted"] / row["regions"] if row["regions"] else None for row in rows]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [None if share is None else round(share, 2) for share in shares],
        "y": labels,
        "marker": {"color": "var(--accent)"},
        "customdata": [[row["contradicted"], row["regions"]] for row in rows],
        "hovertemplate": "%{customdata[0]} of %{customdata[1]} regions<extra></extra>",
    }
    axis = {"title": "contradicted regions", "ticksuffix": " %", "range": [0, 100]}
    summary = (
        "Share of the regions for which the model prefers another class. Where it is high, the model knows the class"
        " badly, and its suspects are more often right labels."
    )
    head = ["given class", "regions", "contradicted", "contradicted parts", "listed", "most often suggested"]
    return Chart(
        "contradicted",
        "Contradicted regions by class",
        summary,
        figure_of([bars], 70 + 26 * len(rows), axis, category_axis(labels)),
        head,
        [list(row.values()) for row in rows],
    )
