"""Charts of models: published mIoU against parameters and operations."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

import numpy as np

from semseg.analysis.model_list import Model
from semseg.analysis.report.charts import Chart, color_of, figure_of, format_number
from semseg.errors import InvalidConfigError
from semseg.visualization.charts import draw_tradeoff

_BATCH = re.compile(r"_\d+xb\d+.*")  # in the name of a config, and what follows it
_COSTS = {"parameters": "million parameters", "macs": "GMACs at 1024x2048"}  # titles by name of the chart
_Points = tuple[list[str], list[float], dict[str, list[float]]]  # names, published mIoU, costs by title


def draw_models(models: Sequence[Model]) -> np.ndarray:
    """Draw the published mIoU against parameters and operations, one row per data set.

    Returns:
        RGB, uint8, shape (height, width, 3).

    Raises:
        ValueError: no model has a published mIoU and a cost.
    """
    groups = {}
    for data, (names, miou, costs) in _points(models).items():
        groups[f"published mIoU (%), {data}"] = costs, miou, [_BATCH.sub("", name) for name in names]
    return draw_tradeoff(groups)


def chart_page(models: Sequence[Model]) -> str:
    """Return a page with an interactive chart of the published mIoU; it needs no network.

    Raises:
        ValueError: no model has a published mIoU and a cost.
    """
    from semseg.analysis.report.page import fill

    points = _points(models)
    charts = [_cost_chart(name, title, points) for name, title in _COSTS.items()]
    return fill(
        "models.html",
        name="Published mIoU and cost",
        num_models=sum(len(names) for names, _, _ in points.values()),
        charts=charts,
        thumbnails=[],
        facts={"figures": {chart.name: chart.figure for chart in charts}, "views": [], "images": []},
    )


def _cost_chart(name: str, title: str, points: Mapping[str, _Points]) -> Chart:
    data, rows = [], []
    for place, (published_on, (names, miou, costs)) in enumerate(points.items()):
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": html.escape(published_on, quote=False),
                "x": costs[title],
                "y": miou,
                "text": [html.escape(model_name, quote=False) for model_name in names],
                "marker": {"color": color_of(place), "size": 9},
                "hovertemplate": "%{text}<br>%{y:.2f} % at %{x:.4g}<extra></extra>",
            }
        )
        for model_name, score, cost in zip(names, miou, costs[title], strict=True):
            rows.append([model_name, published_on, format_number(score), f"{cost:.4g}"])
    axis = {"fixedrange": False}
    return Chart(
        name,
        title[0].upper() + title[1:],
        "Drag to enlarge a part, double-click to see all.",
        figure_of(
            data,
            520,
            {"title": title, "type": "log", **axis},
            {"title": "published mIoU", "ticksuffix": " %", **axis},
            dragmode="zoom",
            showlegend=True,
        ),
        ["config", "published for", "mIoU %", title],
        rows,
    )


def _points(models: Sequence[Model]) -> dict[str, _Points]:
    """Return the names, the published mIoU and the costs by title, for each data set of the publications.

    Raises:
        ValueError: there is no model with both.
    """
    points: dict[str, _Points] = {}
    for model in models:
        if model.cost is None or model.published is None:
            continue
        empty: dict[str, list[float]] = {title: [] for title in _COSTS.values()}
        names, miou, costs = points.setdefault(model.published.data, ([], [], empty))
        names.append(model.name)
        miou.append(model.published.miou)
        for values, cost in zip(
            costs.values(), (model.cost.num_parameters / 1e6, model.cost.num_macs[1] / 1e9), strict=True
        ):
            values.append(cost)
    if not points:
        raise InvalidConfigError(
            "a chart needs models with a published mIoU; none of the listed configs has one", code="E-config-missing"
        )
    return points
