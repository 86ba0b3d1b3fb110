"""Write and read the results of a test: `results.json`, tables, and the counts that they are computed from."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semseg.errors import InvalidInputError, MissingInputError
from semseg.evaluation import bootstrap, scores
from semseg.evaluation.confusion import Areas, Confusions
from semseg.evaluation.instances import InstanceAreas
from semseg.evaluation.slices import Slices
from semseg.labels import categories_of
from semseg.system.atomic import atomic_path, sync_folder

SCHEMA = "semseg.results/1"


class Evaluation(NamedTuple):
    """The counts of a metric.

    Attributes:
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
        ignore_index: value of the truth that does not count.
        absent: how classes count that are not in the truth, see `scores.Absent`.
        confusions: confusion matrices of the images.
        extras: name to summary, see `extras.EXTRAS`.
        instances: weighted counts of the objects, in the order of the images; None without instance images.
    """

    classes: Sequence[str]
    palette: Sequence
    ignore_index: int
    absent: scores.Absent
    confusions: Confusions
    extras: Mapping[str, dict]
    instances: InstanceAreas | None = None


class Results(NamedTuple):
    """A folder of results.

    Attributes:
        folder: path of the folder.
        summary: content of `results.json`; undefined scores are `None`.
        confusions: confusion matrices of the images, in the order of `images`.
        images: rows of `per_image.csv`, as text.
    """

    folder: Path
    summary: dict
    confusions: Confusions
    images: list[dict[str, str]]


def summarize(evaluation: Evaluation, slices: Slices) -> dict[str, Any]:
    """Compute all scores.

    Returns:
        The part of `results.json` that is computed from the counts: absent, scores, per_class, categories, confusion,
        unassigned, slices, extras; in percent, nan where a score is not defined.
    """
    confusions, absent = evaluation.confusions, evaluation.absent
    areas = confusions.areas()
    matrix = confusions.total()
    total = Areas.of(matrix)
    categories = categories_of(evaluation.classes)

    def scores_of(areas: Areas) -> dict[str, np.ndarray]:
        return {**scores.means(areas, absent), "IoU": scores.iou(areas)}

    values = scores_of(total)
    has_intervals = len(confusions.images) > 1
    intervals = bootstrap.intervals(areas, scores_of) if has_intervals else {}
    undefined = np.full(len(evaluation.classes), math.nan)
    class_low, class_high = intervals.get("IoU", (undefined, undefined))
    columns: dict[str, np.ndarray] = {
        "IoU": values.pop("IoU"),
        "low": class_low,
        "high": class_high,
        "Acc": scores.recall(total),
        "Precision": scores.precision(total),
        "Recall": scores.recall(total),
        "F1": scores.f1(total),
        "truth_pixels": total.truth,
        "predicted_pixels": total.predicted,
        "iIoU": evaluation.instances.class_iou(matrix) if evaluation.instances else undefined,
    }
    headlines: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        low, high = intervals.get(name, (math.nan, math.nan))
        headlines[name] = {"value": value, "low": low, "high": high}
    summary: dict[str, Any] = {
        "absent": {
            "convention": absent,
            "num_counted": int(scores.counted_classes(total, absent).sum()),
            "classes": [name for name, area in zip(evaluation.classes, total.truth, strict=True) if not area],
        },
        "scores": headlines,
        "per_class": [
            {"class": name, **{key: column[i] for key, column in columns.items()}}
            for i, name in enumerate(evaluation.classes)
        ],
        "categories": [],
        "confusion": matrix[:, :-1],
        "unassigned": matrix[:, -1],
        "slices": {name: _scores_by_group(areas, np.array(group, object), absent) for name, group in slices.items()},
        "extras": evaluation.extras,
    }
    if evaluation.instances:
        headlines["iIoU"] = _without_interval(scores.mean_of_defined(columns["iIoU"]))
    if categories:
        names = list(dict.fromkeys(categories))
        numbers = [names.index(category) for category in categories]
        category_iou = scores.iou(confusions.areas(numbers).sum())
        headlines["category_IoU"] = _without_interval(scores.mean_of_defined(category_iou))
        instance_iou = evaluation.instances.category_iou(matrix, categories) if evaluation.instances else {}
        for name, value in zip(names, category_iou, strict=True):
            members = [cls for cls, category in zip(evaluation.classes, categories, strict=True) if category == name]
            row = {"category": name, "classes": members, "IoU": value, "iIoU": instance_iou.get(name, math.nan)}
            summary["categories"].append(row)
        if has_intervals:
            low, high = bootstrap.intervals(
                confusions.areas(numbers), lambda drawn: {"IoU": scores.mean_of_defined(scores.iou(drawn))}
            )["IoU"]
            headlines["category_IoU"] |= {"low": low, "high": high}
    return summary


def _without_interval(value: np.ndarray) -> dict[str, Any]:
    return {"value": value, "low": math.nan, "high": math.nan}


def _scores_by_group(areas: Areas, groups: np.ndarray, absent: scores.Absent) -> list[dict]:
    """Return the scores of each group of images, sorted by name.

    Args:
        areas: per image, shape (images, num_classes).
        groups: name of the group of each image, shape (images,).
        absent: see `scores.Absent`.
    """
    rows = []
    for group in sorted(set(groups)):
        is_member = groups == group
        means = scores.means(Areas(*(field[is_member] for field in areas)).sum(), absent)
        chosen = {key: means[key] for key in ("mIoU", "aAcc", "mAcc")}
        rows.append({"name": group, "num_images": int(is_member.sum()), **chosen})
    return rows


def write_results(
    folder: Path,
    evaluation: Evaluation,
    facts: Mapping[str, Any],
    files: Sequence[Mapping[str, str]],
    slices: Slices,
) -> dict[str, Any]:
    """Write `results.json`, `per_class.csv`, `per_image.csv`, `confusion.csv` and `per_image.npz`.

    Args:
        folder: created if it does not exist.
        evaluation: counts of the metric.
        facts: further entries of `results.json`: `created`, `run` and `data`.
        files: of each image, in their order: `path` of the photograph, `mask` relative to predicted/ and target/.
        slices: groups of the images.

    Returns:
        The content of `results.json`.
    """
    summary = _plain(
        {
            "schema": SCHEMA,
            **facts,
            "classes": list(evaluation.classes),
            "palette": [[int(value) for value in color] for color in evaluation.palette],
            "ignore_index": evaluation.ignore_index,
            **summarize(evaluation, slices),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    confusions = evaluation.confusions
    _write_table(
        folder / "per_class.csv", list(summary["per_class"][0]), [[*row.values()] for row in summary["per_class"]]
    )
    matrix_rows = zip(evaluation.classes, summary["confusion"], summary["unassigned"], strict=True)
    _write_table(
        folder / "confusion.csv",
        ["truth \\ predicted", *evaluation.classes, "(none)"],
        [[name, *row, unassigned] for name, row, unassigned in matrix_rows],
    )
    areas = confusions.areas()
    means, iou = scores.means(areas, evaluation.absent), scores.iou(areas)
    header = ["image", "path", "mask", "height", "width", "labelled_pixels", "aAcc", "mIoU"]
    rows = []
    for i, image in enumerate(confusions.images):
        row = [image, files[i]["path"], files[i]["mask"], *confusions.sizes[i], areas.truth[i].sum()]
        row += [means["aAcc"][i], means["mIoU"][i], *(groups[i] for groups in slices.values()), *iou[i]]
        rows.append(row)
    iou_names = [f"IoU/{name}" for name in evaluation.classes]
    _write_table(folder / "per_image.csv", [*header, *slices, *iou_names], _plain(rows))
    with atomic_path(folder / "per_image.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            images=np.array(confusions.images, str),
            sizes=confusions.sizes,
            image=confusions.image,
            cell=confusions.cell,
            count=confusions.count,
        )
    sync_folder(folder)
    with atomic_path(folder / "results.json") as temporary:  # last: if it exists, all files exist
        temporary.write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n")
    return summary


def read_results(folder: Path) -> Results:
    """Read a folder that `write_results` wrote.

    Raises:
        FileNotFoundError: there is no `results.json`.
        ValueError: another program or a later version wrote it, or a file is damaged.
    """
    path = folder / "results.json"
    if not path.is_file():
        raise MissingInputError(
            f"no results in {folder}: expected results.json, which tools/test.py writes", code="E-input-missing"
        )
    try:
        summary = json.loads(path.read_text())
        if not isinstance(summary, dict) or summary.get("schema") != SCHEMA:
            schema = summary.get("schema") if isinstance(summary, dict) else type(summary).__name__
            raise InvalidInputError(f"expected schema {SCHEMA}, found {schema}", code="E-input-results")
        num_classes = len(summary["classes"])
        with np.load(folder / "per_image.npz", allow_pickle=False) as arrays:
            confusions = Confusions(
                num_classes,
                tuple(str(name) for name in arrays["images"]),
                *(arrays[name] for name in ("sizes", "image", "cell", "count")),
            )
        with (folder / "per_image.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        if [row["image"] for row in rows] != list(confusions.images):
            raise InvalidInputError("per_image.csv and per_image.npz hold other images", code="E-input-results")
        if not np.array_equal(confusions.total(), np.column_stack([summary["confusion"], summary["unassigned"]])):
            raise InvalidInputError(
                "per_image.npz does not add up to the confusion matrix of results.json", code="E-input-results"
            )
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise InvalidInputError(
            f"{folder} holds no results that can be read ({error}): run tools/test.py again", code="E-input-results"
        ) from error
    return Results(folder, summary, confusions, rows)


def _write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _plain(value: Any) -> Any:
    """Convert arrays and numbers for JSON: lists, dicts, Python's numbers; None for nan and infinity."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
