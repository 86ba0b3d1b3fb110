"""Charts of models: published mIoU against parameters and operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from semseg.analysis.model_list import Model
from semseg.errors import InvalidConfigError
from semseg.visualization.charts import draw_tradeoff

_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def _points(models: Sequence[Model]) -> list[Model]:
    """Return the models that a chart can show.

    Raises:
        ValueError: there is none.
    """
    shown = [model for model in models if model.cost is not None and model.published is not None]
    if not shown:
        raise InvalidConfigError(
            "a chart needs models with a published mIoU; none of the listed configs has one", code="E-config-missing"
        )
    return shown


def draw_models(models: Sequence[Model]) -> np.ndarray:
    """Draw the published mIoU against parameters and operations.

    Returns:
        RGB, uint8, shape (height, width, 3).

    Raises:
        ValueError: no model has both.
    """
    shown = _points(models)
    miou = [model.published.miou for model in shown if model.published]
    names = [model.name.partition("_")[0] + " " + model.architecture.rpartition(", ")[2] for model in shown]
    axes = {
        "million parameters": [model.cost.num_parameters / 1e6 for model in shown if model.cost],
        "GMACs at 1024x2048": [model.cost.num_macs[1] / 1e9 for model in shown if model.cost],
    }
    data = sorted({model.published.data for model in shown if model.published})
    return draw_tradeoff(axes, miou, names, f"published mIoU (%), {', '.join(data)}")


def chart_page(models: Sequence[Model]) -> str:
    """Return a page with an interactive chart of the published mIoU; it needs no network.

    Raises:
        ValueError: no model has a published mIoU and a cost.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(1, 2, shared_yaxes=True, subplot_titles=("by parameters", "by operations"))
    shown = _points(models)
    for number, data in enumerate(sorted({model.published.data for model in shown if model.published})):
        group = [model for model in shown if model.published and model.published.data == data]
        for column, values in enumerate(
            (
                [model.cost.num_parameters / 1e6 for model in group if model.cost],
                [model.cost.num_macs[1] / 1e9 for model in group if model.cost],
            ),
            start=1,
        ):
            figure.add_trace(
                go.Scatter(
                    x=values,
                    y=[model.published.miou for model in group if model.published],
                    text=[model.name for model in group],
                    mode="markers",
                    name=data,
                    legendgroup=data,
                    showlegend=column == 1,
                    marker={"color": _COLORS[number % len(_COLORS)], "size": 9},
                    hovertemplate="%{text}<br>%{y:.2f} % at %{x:.4g}<extra></extra>",
                ),
                1,
                column,
            )
    figure.update_xaxes(type="log", title_text="million parameters", col=1)
    figure.update_xaxes(type="log", title_text="GMACs at 1024x2048", col=2)
    figure.update_yaxes(title_text="published mIoU (%)", col=1)
    figure.update_layout(template="plotly_white", title="Models: published mIoU and cost")
    return figure.to_html(include_plotlyjs=True)
