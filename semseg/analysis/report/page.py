"""Write the report: one self-contained HTML file."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from semseg.analysis.report import charts, collect, curve_charts, extra_charts, pictures, score_charts
from semseg.evaluation.results import Results, read_results
from semseg.system.atomic import atomic_path
from semseg.system.machine import num_cpus
from semseg.visualization.panels import WRONG

HEADLINES = {
    "mIoU": "mean IoU",
    "aAcc": "correct pixels",
    "mAcc": "mean recall of the classes",
    "mF1": "mean F1, or Dice",
    "mPrecision": "mean precision",
    "fwIoU": "IoU weighted by frequency",
    "category_IoU": "mean IoU of categories",
    "iIoU": "mean IoU weighted by instance",
}
"""Scores that the page shows, in this order; mean recall is mAcc."""
_HERE = Path(__file__).parent
_PLOTLY = "plotly-cartesian.min.js.gz"
"""plotly.js 4.1.1, from the npm package plotly.js-cartesian-dist-min, unchanged, but compressed with `gzip -9n`.

It has the charts of a plane only. A browser starts it in a third of the time of the whole plotly.js, which the Python
package has.
"""


def write_report(
    given: Path,
    compared: Path | None = None,
    out: Path | None = None,
    max_images: int = 500,
    with_large: bool = False,
    explained_dir: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write a page about the results of a test.

    Args:
        given: a folder of results, or the work folder of a training, whose newest results are used.
        compared: as `given`, of a second run to compare with.
        out: the HTML file; default: report.html in the folder of results.
        max_images: show this number of images, those with the lowest mIoU.
        with_large: write pictures in full size to a folder next to the page, and link them.
        explained_dir: link pictures that `tools/analyze.py explain` wrote there for photographs of the page.
        on_progress: called with the number of images done and the total number.

    Returns:
        The path of the HTML file.

    Raises:
        FileNotFoundError: a folder is missing, or has no results.
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
        explanations = explained.get(image.photograph_path.resolve(), []) if image.photograph_path else []
        why = {path.stem.replace("_", " "): quote(os.path.relpath(path, out.parent)) for path in explanations}
        return pictures.thumbnails(image, palette, ignore_index), {"Large": large, "Why": why}

    encoded: list[tuple[dict[str, str], dict[str, dict[str, str]]]] = []
    with ThreadPoolExecutor(num_cpus()) as pool:  # threads are enough: decoding and encoding release the GIL
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
        other: of a second run to compare with.
        training: of the checkpoint.
        images: to show.
        encoded: for each image, its pictures as data URIs by view, and groups of links (URLs by text).
        flip_book: data URIs of validation pictures by iteration, by image.
    """
    summary = results.summary
    curves = curve_charts.curve_charts(training.curves)
    classes = score_charts.class_chart(summary, other.summary["per_class"] if other else None)
    confusion, variants = score_charts.confusion_chart(summary)
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
    """Render a template that extends base.html, with its style, its script and Plotly included.

    Args:
        template: its file name.
        values: variables of the template. All templates need `facts`, which the script reads, and `thumbnails`, data
            URIs by view for each image.
    """
    environment = Environment(
        loader=PackageLoader("semseg.analysis", "report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=charts.format_number, spaced=_spaced, color=_color)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "ensure_ascii": False}
    own = {"css": _own("page.css"), "js": _own("page.js"), "plotly": _plotly()}
    return environment.get_template(template).render(**own, **values)


def _own(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))


def _plotly() -> Markup:
    return Markup(gzip.decompress((_HERE / _PLOTLY).read_bytes()).decode("utf-8"))


def _name(results: Results) -> str:
    run, data = results.summary["run"], results.summary["data"]
    what = [run["config"], Path(run["checkpoint"]).stem]
    return f"{', '.join(filter(None, what))} on {data['name']} {data['split'] or ''}".rstrip()


def _class_orders(summary: Mapping[str, Any], other: Results | None) -> dict[str, list[int]]:
    """Return the orders of the classes that the user can choose; see `class_orders`."""
    rows, gains = summary["per_class"], None
    if other:
        gains = [
            None if a["IoU"] is None or b["IoU"] is None else a["IoU"] - b["IoU"]
            for a, b in zip(rows, other.summary["per_class"], strict=True)
        ]
    return charts.class_orders(rows, [row["IoU"] for row in rows], gains)


def _spaced(value: Any) -> Any:
    """Format an integer in groups of three digits; return anything else unchanged."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if isinstance(value, int) else value


def _percent(value: float | None) -> str:
    return charts.format_number(value) + ("" if value is None else " %")


def _color(rgb: Sequence[int]) -> str:
    red, green, blue = rgb
    return f"rgb({red},{green},{blue})"
