"""Write the page about photographs without labels: differences, which to label next, and pseudo-labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from semseg.analysis.report import gap_charts
from semseg.analysis.report.page import fill
from semseg.analysis.report.pictures import data_uri, fitting, webp
from semseg.system.atomic import atomic_path
from semseg.visualization.panels import WRONG

VIEWS = ("photograph", "classes", "doubt", "kept")
_WIDTH = 560
_PREDICTION_OPACITY, _NOT_KEPT_VEIL = 165, (0, 0, 0, 150)  # of 255, over the photograph
_DOUBT_LEVELS = 8


class Side(Protocol):
    """The measured photographs of one side, see `semseg.analysis.gap_tables.Side`."""

    measured: Sequence
    features: Mapping[str, np.ndarray]
    places: Mapping[str, np.ndarray]
    truth: np.ndarray


def draw_views(
    image: np.ndarray, train_ids: np.ndarray, entropy: np.ndarray, labels: np.ndarray | None, palette: Sequence
) -> dict[str, str]:
    """Return the views of a photograph as data URIs, by the names of `VIEWS`.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        train_ids: uint8, shape (height, width).
        entropy: 0 to 1, shape (height, width).
        labels: pseudo-labels, train ids, 255 where there is none; None without pseudo-labels.
        palette: RGB, shape (num_classes, 3).
    """
    size = fitting(image.shape, _WIDTH)
    table = np.full((256, 4), _NOT_KEPT_VEIL, np.uint8)
    table[: len(palette), :3], table[: len(palette), 3] = palette, _PREDICTION_OPACITY
    small = cv2.resize(entropy.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    levels = np.ceil(np.clip(small, 0, 1) * _DOUBT_LEVELS - 0.5).astype(
        np.uint8
    )  # with few levels, the picture compresses better
    veil = np.array([(*WRONG, 230 * level // _DOUBT_LEVELS) for level in range(_DOUBT_LEVELS + 1)], np.uint8)
    views = {
        "photograph": cv2.resize(image, size, interpolation=cv2.INTER_AREA),
        "classes": table[cv2.resize(train_ids, size, interpolation=cv2.INTER_NEAREST)],
        "doubt": veil[levels],
    }
    if labels is not None:
        views["kept"] = table[cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)]
    return {name: data_uri(webp(np.ascontiguousarray(view))) for name, view in views.items()}


def write_page(
    path: Path,
    summary: Mapping[str, Any],
    folder: Side,
    reference: Side,
    shown: Sequence,
    num_next: int,
    pictures: Mapping[Path, Mapping[str, str]],
) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        summary: content of `gap.json`.
        folder: its measured photographs, most difficult first.
        reference: as `folder`.
        shown: the photographs of `folder.measured` to show.
        num_next: the first so many are to be labelled next, the others are the easiest.
        pictures: from `draw_views`, by path of the photograph.
    """
    rows, rates = summary["class_shares"], summary["pseudo_labels"]
    distributions = [
        gap_charts.distribution(name, values, reference.features[name], summary["means"][name]["place"])
        for name, values in folder.features.items()
    ]
    classes = gap_charts.share_chart(rows, summary["palette"])
    sides = {"folder": folder, "reference": reference}
    points = {
        name: (side.features["score"], side.truth, [str(photograph.source.name) for photograph in side.measured])
        for name, side in sides.items()
    }
    truth = gap_charts.truth_chart(points, summary["correlation"]) if summary["correlation"] else None
    keep = gap_charts.keep_chart(rates["per_class"], summary["palette"], rates["share"]) if rates else None
    ranks = {photograph.source.path: rank for rank, photograph in enumerate(folder.measured)}
    charts = [*distributions, classes, *filter(None, (truth, keep))]
    page = fill(
        "gap.html",
        name=f"{summary['folder']['path']} against {summary['reference']['path']}",
        summary=summary,
        titles=gap_charts.TITLES,
        distributions=distributions,
        classes_chart=classes,
        truth=truth,
        keep=keep,
        num_easiest=max(0, len(shown) - num_next),
        shown=shown,
        thumbnails=[pictures.get(photograph.source.path, {}) for photograph in shown],
        doubt_color=WRONG,
        facts={
            "figures": {chart.name: chart.figure for chart in charts},
            "classOrders": _orders(rows),
            "classes": summary["classes"],
            "views": VIEWS,
            "view": "classes",
            "images": [
                _image(photograph, ranks[photograph.source.path], folder, index < num_next)
                for index, photograph in enumerate(shown)
            ],
        },
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")


def _image(photograph: Any, rank: int, folder: Side, is_next: bool) -> dict[str, Any]:
    place = 100 * folder.places["score"][rank]
    marks = [["score", f"{folder.features['score'][rank]:.3f}"]]
    marks += [
        [text, f"{100 * folder.features[name][rank]:.0f} %"]
        for text, name in (("confidence", "confidence"), ("flip", "flip_consistency"))
    ]
    if np.isfinite(folder.truth[rank]):
        marks.append(["mIoU", f"{folder.truth[rank]:.1f} %"])
    return {
        "name": str(photograph.source.name),
        "marks": marks,
        "iou": [],
        "slices": {
            "group": "next to label" if is_next else "easiest",
            "rank": f"{rank + 1} of {len(folder.measured)}, harder than {place:.0f} % of the reference",
        },
        "worst": None,
        "links": {},
    }


def _orders(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    keys: dict[str, Callable[[int], Any]] = {
        "difference": lambda i: -abs(rows[i]["difference"]),
        "folder": lambda i: -rows[i]["folder"],
        "reference": lambda i: -rows[i]["reference"],
        "name": lambda i: rows[i]["class"].casefold(),
        "table": lambda i: i,
    }
    return {name: sorted(range(len(rows)), key=key) for name, key in keys.items()}
