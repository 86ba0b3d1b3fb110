"""The page: what was collected and drawn, put into one HTML file that needs nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from semseg.analysis.report import charts, collect, curve_charts, extra_charts, pictures
from semseg.evaluation.results import Results, read_results
from semseg.system.atomic import atomic_path
from semseg.system.machine import num_cpus
from semseg.visualization.panels import WRONG

HEADLINES = {
    "mIoU": "mean IoU",
    "aAcc": "pixels that are right",
    "mAcc": "mean recall of the classes",
    "mF1": "mean F1, or Dice",
    "mPrecision": "mean precision",
    "fwIoU": "IoU weighted by frequency",
    "category_IoU": "mean IoU of categories",
    "iIoU": "mean IoU weighted by instance",
}
"""Scores of the results that the page shows, in this order. Mean recall is mAcc."""
_HERE = Path(__file__).parent


def write_report(
    given: Path,
    compared: Path | None = None,
    out: Path | None = None,
    max_images: int = 500,
    with_large: bool = False,
    explained_dir: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write one page about the results of a test.

    Args:
        given: a folder of results, or the work folder of a training, whose newest results count.
        compared: as `given`, of a run to compare with.
        out: the HTML file; default: report.html beside the results.
        max_images: show the worst so many.
        with_large: write pictures in full size beside the page, and link them.
        explained_dir: link what `tools/analyze.py explain` wrote there about photographs of the page.
        on_progress: called with the number of images done and of all.

    Returns:
        The HTML file.

    Raises:
        FileNotFoundError: a folder is missing, or holds no results.
        ValueError: results are damaged, or the two have different classes.
    """
    results = read_results(collect.find_results(given))
    other = None if compared is None else collect.read_compared(collect.find_results(compared), results)
    training = collect.read_training(collect.find_work_dir(given, results))
    out = out or results.folder / "report.html"
    images = collect.read_images(results)[:max_images]
    palette, ignore_index = results.summary["palette"], results.summary["ignore_index"]
    large_dir = out.with_name(f"{out.stem}_pictures") if with_large else None

    explained = collect.find_explained(explained_dir) if explained_dir else {}

    def encode(image: collect.Image) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        large = pictures.write_large(image, palette, ignore_index, large_dir) if large_dir else {}
        accounts = explained.get(image.photograph_path.resolve(), []) if image.photograph_path else []
        why = {path.stem.replace("_", " "): quote(os.path.relpath(path, out.parent)) for path in accounts}
        return pictures.thumbnails(image, palette, ignore_index), {"Large": large, "Why": why}

    encoded = []
    with ThreadPoolExecutor(num_cpus()) as pool:  # decoding and encoding leave Python's lock alone
        for pair in pool.map(encode, images):
            encoded.append(pair)
            on_progress(len(encoded), len(images))
        flip_book = {
            name: dict(zip(panels, pool.map(pictures.panel, panels.values()), strict=True))
            for name, panels in training.panels.items()
        }
    page = render(results, other, training, images, encoded, flip_book)
    with atomic_path(out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return out


def render(
    results: Results,
    other: Results | None,
    training: collect.Training,
    images: Sequence[collect.Image],
    encoded: Sequence[tuple[Mapping[str, str], Mapping[str, Mapping[str, str]]]],
    flip_book: Mapping[str, Mapping[int, str]],
) -> str:
    """Return the HTML.

    Args:
        results: of the test.
        other: to compare with.
        training: of the checkpoint.
        images: to show.
        encoded: of each image the pictures as data URIs, by view, and groups of links: URLs by text.
        flip_book: data URIs by iteration, by image.
    """
    summary = results.summary
    curves = curve_charts.curve_charts(training.curves)
    classes = charts.class_chart(summary, other.summary["per_class"] if other else None)
    confusion, variants = charts.confusion_chart(summary)
    extras = extra_charts.extra_charts(summary)
    return fill(
        "template.html",
        summary=summary,
        name=_name(results),
        other=other.summary if other else None,
        other_name=_name(other) if other else "",
        headlines=[(key, text, summary["scores"][key]) for key, text in HEADLINES.items() if key in summary["scores"]],
        curves=curves,
        classes_chart=classes,
        confusion=confusion,
        confusions={
            by: collect.largest_confusions(results.confusions.total(), summary["classes"], by)
            for by in ("share", "pixels")
        },
        images=images,
        thumbnails=[thumbnails for thumbnails, _ in encoded],
        wrong_color=WRONG,
        flip_book=flip_book,
        iterations=list(next(iter(flip_book.values()), {})),
        extras=extras,
        fingerprint=json.dumps(summary["data"].get("fingerprint"), indent=2, ensure_ascii=False),
        facts={
            "figures": {chart.name: chart.figure for chart in (*curves, classes, confusion, *extras)},
            "confusionVariants": variants,
            "classOrders": _class_orders(summary, other),
            "classes": summary["classes"],
            "views": pictures.VIEWS,
            "view": "errors",
            "images": [
                {
                    "name": image.name,
                    "marks": [[key, _percent(value)] for key, value in image.scores.items()],
                    "iou": [None if value is None else round(value, 2) for value in image.iou],
                    "slices": image.slices,
                    "worst": image.worst and image.worst._asdict(),
                    "links": links,
                }
                for image, (_, links) in zip(images, encoded, strict=True)
            ],
        },
    )


def fill(template: str, **values: Any) -> str:
    """Return the HTML of a template that extends base.html: style, script and charts are put in.

    Args:
        template: its name.
        values: what it names; `facts`, which the script reads, and `thumbnails`, data URIs by view of each image,
            are needed by all.
    """
    environment = Environment(
        loader=PackageLoader("semseg.analysis", "report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=charts.rounded, spaced=_spaced, color=_color)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "ensure_ascii": False}
    own = {"css": _own("page.css"), "js": _own("page.js"), "plotly": Markup(get_plotlyjs())}
    return environment.get_template(template).render(**own, **values)


def _own(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))


def _name(results: Results) -> str:
    run, data = results.summary["run"], results.summary["data"]
    what = [run["config"], Path(run["checkpoint"]).stem]
    return f"{', '.join(filter(None, what))} on {data['name']} {data['split'] or ''}".rstrip()


def _class_orders(summary: Mapping[str, Any], other: Results | None) -> dict[str, list[int]]:
    """Return the orders of the classes that a person can choose from, as places in the table."""
    rows = summary["per_class"]
    keys: dict[str, Callable[[int], Any]] = {
        "lowest": lambda i: (rows[i]["IoU"] is None, rows[i]["IoU"]),
        "highest": lambda i: (rows[i]["IoU"] is None, -(rows[i]["IoU"] or 0)),
        "name": lambda i: rows[i]["class"].casefold(),
        "pixels": lambda i: -rows[i]["truth_pixels"],
        "table": lambda i: i,
    }
    if other:
        its = other.summary["per_class"]
        gains = [
            None if a["IoU"] is None or b["IoU"] is None else a["IoU"] - b["IoU"]
            for a, b in zip(rows, its, strict=True)
        ]
        keys["difference"] = lambda i: (gains[i] is None, gains[i])
    return {name: sorted(range(len(rows)), key=key) for name, key in keys.items()}


def _spaced(value: Any) -> Any:
    """Write a whole number in groups of three digits; leave everything else."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if isinstance(value, int) else value


def _percent(value: float | None) -> str:
    return charts.rounded(value) + ("" if value is None else " %")


def _color(rgb: Sequence[int]) -> str:
    return "rgb({},{},{})".format(*(int(value) for value in rgb))
