"""Write the page that compares models which were trained under the same budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from semseg.analysis.comparison.figures import Figures, describe_uneven, shared_machine
from semseg.analysis.comparison.plan import Plan
from semseg.analysis.comparison.tables import spread
from semseg.analysis.report import comparison_charts as charts
from semseg.analysis.report.collect import Image, evenly, read_images
from semseg.analysis.report.page import fill
from semseg.analysis.report.pictures import data_uri, draw_views, webp
from semseg.system.atomic import atomic_path
from semseg.system.machine import format_bytes

_WIDTH = 400  # px of a picture


class View(NamedTuple):
    """A picture with its title; `uri` is None if its file is missing."""

    title: str
    uri: str | None
    note: str = ""


def write_page(plan: Plan, figures: Sequence[Figures], failed: Mapping[str, str], elsewhere: Mapping[str, str]) -> Path:
    """Write `comparison.html` into the folder of the comparison.

    Args:
        plan: of the comparison.
        figures: from `collect_figures`, at least one.
        failed: sentences by title of the run.
        elsewhere: machines by title of the run that they train now.

    Returns:
        The path of the page.
    """
    by_minutes = plan.budget.minutes is not None
    curves = charts.curve_charts(figures, by_minutes)
    classes, latency = charts.class_chart(figures), charts.latency_chart(figures)
    summary, machine = figures[0].results[0].summary, shared_machine(figures)
    page = fill(
        "comparison.html",
        name=f"{len(figures)} models on {summary['data']['name']}",
        plan=plan,
        summary=summary,
        figures=figures,
        rows=[_row(one, place, machine is None) for place, one in enumerate(figures)],
        curves=curves,
        classes_chart=classes,
        latency_chart=latency,
        pictures=_pictures(figures, plan.options.pictures),
        uneven=describe_uneven(plan, figures),
        failed=failed,
        elsewhere=elsewhere,
        size=figures[0].latency["size"],
        machine=machine,
        thumbnails=[],
        facts={
            "figures": {chart.name: chart.figure for chart in (latency, *curves, classes)},
            "classOrders": charts.orders_of_classes(figures),
            "classes": summary["classes"],
            "views": [],
            "images": [],
        },
    )
    path = plan.options.out_dir / "comparison.html"
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _row(one: Figures, place: int, has_own_machine: bool) -> dict[str, Any]:
    """Return the cells of the table of models; the machine of the latency, unless it is the same for all."""
    score, behind = one.scores["mIoU"], one.behind
    deviation = spread(score)
    return {
        "name": one.model.name,
        "color": charts.color_of(place),
        "miou": f"{score.value:.2f}",
        "interval": charts.interval_text(score),
        "deviation": "–" if deviation is None else f"{deviation:.2f}",
        "behind": "–" if behind is None else f"{behind.value:+.2f}",
        "behind_interval": "" if behind is None else charts.interval_text(behind),
        "seeds": len(one.seeds),
        "iterations": one.iters,
        "minutes": "–" if one.train_s is None else f"{one.train_s / 60:.1f}",
        "parameters": f"{one.num_parameters / 1e6:.2f} M",
        "latency": f"{1000 * one.latency['seconds']:.0f} ms",
        "machine": one.latency_machine if has_own_machine else "",
        "memory": "–" if one.peak_bytes is None else format_bytes(one.peak_bytes),
    }


def _pictures(figures: Sequence[Figures], num: int) -> list[tuple[str, list[View]]]:
    """Return the views of evenly spaced images, by name: photograph, truth, and the prediction of each model."""
    of_models = [{image.name: image for image in read_images(one.results[0])} for one in figures]
    palette, ignore_index = (figures[0].results[0].summary[key] for key in ("palette", "ignore_index"))
    rows = []
    for name in evenly(sorted(of_models[0]), num):
        images = [images[name] for images in of_models]
        drawn = [draw_views(image, palette, ignore_index, _WIDTH) for image in images]
        uris = [{kind: data_uri(webp(view)) for kind, view in views.items()} for views in drawn]
        views = [View("photograph", uris[0].get("photograph")), View("truth", uris[0].get("truth"))]
        for one, image, of_model in zip(figures, images, uris, strict=True):
            views.append(View(one.model.name, of_model.get("prediction"), _note(image)))
        rows.append((name, views))
    return rows


def _note(image: Image) -> str:
    value = image.scores["mIoU"]
    return "" if value is None else f"mIoU {value:.1f} %"
