"""Charts of models: published mIoU against parameters and operations."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from semseg.analysis.model_list import Model
from semseg.errors import InvalidConfigError
from semseg.visualization.charts import LINE_COLORS, draw_tradeoff

_BATCH = re.compile(r"_\d+xb\d+.*")  # in the name of a config, and what follows it


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
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(1, 2, shared_yaxes=True)
    for number, (data, (names, miou, costs)) in enumerate(_points(models).items()):
        for column, (title, values) in enumerate(costs.items(), start=1):
            trace = go.Scatter(
                x=values,
                y=miou,
                text=names,
                mode="markers",
                name=data,
                legendgroup=data,
                showlegend=column == 1,
                marker={"color": LINE_COLORS[number % len(LINE_COLORS)], "size": 9},
                hovertemplate="%{text}<br>%{y:.2f} % at %{x:.4g}<extra></extra>",
            )
            figure.add_trace(trace, 1, column)
            figure.update_xaxes(type="log", title_text=title, col=column)
    figure.update_yaxes(title_text="published mIoU (%)", col=1)
    figure.update_layout(template="plotly_white", title="Models: published mIoU and cost")
    return figure.to_html(include_plotlyjs=True)


def _points(models: Sequence[Model]) -> dict[str, tuple[list[str], list[float], dict[str, list[float]]]]:
    """Return the names, the published mIoU and the costs by title, for each data set of the publications.

    Raises:
        ValueError: there is no model with both.
    """
    points: dict[str, tuple[list[str], list[float], dict[str, list[float]]]] = {}
    for model in models:
        if model.cost is None or model.published is None:
            continue
        empty = {"million parameters": [], "GMACs at 1024x2048": []}
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
