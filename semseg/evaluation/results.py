"""What a test leaves behind: `results.json`, tables, and the counts that all of it follows from."""

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
from semseg.system.atomic import atomic_path

SCHEMA = "semseg.results/1"


class Evaluation(NamedTuple):
    """What a metric found out.

    Attributes:
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
        ignore_index: of the truth.
        absent: what becomes of classes that the truth has not, see `scores.Absent`.
        confusions: of the images.
        extras: see `extras.EXTRAS`: name to summary.
        instances: weighted counts where instance images exist, in the order of the images; else None.
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
        folder: where it lies.
        summary: `results.json`; `None` for what is not defined.
        confusions: of the images, in the order of `images`.
        images: rows of `per_image.csv`, as text.
    """

    folder: Path
    summary: dict
    confusions: Confusions
    images: list[dict[str, str]]


def summarize(evaluation: Evaluation, slices: Slices) -> dict[str, Any]:
    """Compute every number.

    Returns:
        The part of `results.json` that follows from the counts: absent, scores, per_class, categories, confusion,
        slices, extras; percent, nan where a score is not defined.
    """
    confusions, absent = evaluation.confusions, evaluation.absent
    areas = confusions.areas()
    matrix = confusions.total()
    total = Areas.of(matrix)
    groups = categories_of(evaluation.classes)

    def headline(some: Areas) -> dict[str, np.ndarray]:
        return {**scores.means(some, absent), "IoU": scores.iou(some)}

    values = headline(total)
    several = len(confusions.images) > 1
    ends = bootstrap.intervals(areas, headline) if several else {}
    undefined = np.full(len(evaluation.classes), math.nan)
    class_low, class_high = ends.get("IoU", (undefined, undefined))
    columns = {
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
    headlines = {
        name: {"value": value, **dict(zip(("low", "high"), ends.get(name, (math.nan, math.nan)), strict=True))}
        for name, value in values.items()
    }
    found = {
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
        "slices": {name: _slice(confusions, areas, np.array(parts, object), absent) for name, parts in slices.items()},
        "extras": evaluation.extras,
    }
    if evaluation.instances:
        headlines["iIoU"] = _alone(scores.mean_of_defined(columns["iIoU"]))
    if groups:
        names = list(dict.fromkeys(groups))
        numbers = [names.index(group) for group in groups]
        grouped = scores.iou(confusions.areas(numbers).sum())
        headlines["category_IoU"] = _alone(scores.mean_of_defined(grouped))
        instance_iou = evaluation.instances.category_iou(matrix, groups) if evaluation.instances else {}
        for name, value in zip(names, grouped, strict=True):
            members = [one for one, group in zip(evaluation.classes, groups, strict=True) if group == name]
            row = {"category": name, "classes": members, "IoU": value, "iIoU": instance_iou.get(name, math.nan)}
            found["categories"].append(row)
        if several:
            ends = bootstrap.intervals(
                confusions.areas(numbers), lambda some: {"IoU": scores.mean_of_defined(scores.iou(some))}
            )
            headlines["category_IoU"].update(zip(("low", "high"), ends["IoU"], strict=True))
    return found


def _alone(value: float) -> dict[str, float]:
    return {"value": value, "low": math.nan, "high": math.nan}


def _slice(confusions: Confusions, areas: Areas, parts: np.ndarray, absent: scores.Absent) -> list[dict]:
    rows = []
    for part in sorted(set(parts)):
        means = scores.means(Areas(*(field[parts == part] for field in areas)).sum(), absent)
        chosen = {key: means[key] for key in ("mIoU", "aAcc", "mAcc")}
        rows.append({"name": part, "num_images": int((parts == part).sum()), **chosen})
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
        folder: is made.
        evaluation: what was found.
        facts: what else `results.json` says: `run` and `data`.
        files: of each image, in their order: `path` of the photograph, `mask` below predicted/ and target/.
        slices: of the images.

    Returns:
        What stands in `results.json`.
    """
    found = summarize(evaluation, slices)
    summary = {
        "schema": SCHEMA,
        **facts,
        "classes": list(evaluation.classes),
        "palette": [[int(value) for value in color] for color in evaluation.palette],
        "ignore_index": evaluation.ignore_index,
        **found,
    }
    summary = _plain(summary)
    folder.mkdir(parents=True, exist_ok=True)
    confusions = evaluation.confusions
    _write_table(
        folder / "per_class.csv", list(summary["per_class"][0]), [[*row.values()] for row in summary["per_class"]]
    )
    columns = zip(evaluation.classes, summary["confusion"], summary["unassigned"], strict=True)
    rows = [[name, *row, none] for name, row, none in columns]
    _write_table(folder / "confusion.csv", ["truth \\ predicted", *evaluation.classes, "(none)"], rows)
    areas = confusions.areas()
    means, iou = scores.means(areas, evaluation.absent), scores.iou(areas)
    head = ["image", "path", "mask", "height", "width", "labelled_pixels", "aAcc", "mIoU", *slices]
    rows = [
        [image, files[i]["path"], files[i]["mask"], *confusions.sizes[i], areas.truth[i].sum(),
         means["aAcc"][i], means["mIoU"][i], *(parts[i] for parts in slices.values()), *iou[i]]
        for i, image in enumerate(confusions.images)
    ]  # fmt: skip
    _write_table(folder / "per_image.csv", [*head, *(f"IoU/{name}" for name in evaluation.classes)], _plain(rows))
    with atomic_path(folder / "per_image.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            images=np.array(confusions.images, str),
            sizes=confusions.sizes,
            image=confusions.image,
            cell=confusions.cell,
            count=confusions.count,
        )
    with atomic_path(folder / "results.json") as temporary:  # last: who finds it finds all
        temporary.write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n")
    return summary


def read_results(folder: Path) -> Results:
    """Read what `write_results` wrote.

    Raises:
        FileNotFoundError: there is none.
        ValueError: another program or a later version wrote it, or a part is damaged.
    """
    path = folder / "results.json"
    if not path.is_file():
        raise MissingInputError(f"no results in {folder}: expected results.json, which tools/test.py writes")
    try:
        summary = json.loads(path.read_text())
        if not isinstance(summary, dict) or summary.get("schema") != SCHEMA:
            found = summary.get("schema") if isinstance(summary, dict) else type(summary).__name__
            raise InvalidInputError(f"expected schema {SCHEMA}, found {found}")
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
            raise InvalidInputError("per_image.csv and per_image.npz hold other images")
        if not np.array_equal(confusions.total(), np.column_stack([summary["confusion"], summary["unassigned"]])):
            raise InvalidInputError("per_image.npz does not add up to the confusion matrix of results.json")
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise InvalidInputError(
            f"{folder} holds no results that can be read ({error}): run tools/test.py again"
        ) from error
    return Results(folder, summary, confusions, rows)


def _write_table(path: Path, head: Sequence[str], rows: Sequence[Sequence]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)


def _plain(value: Any) -> Any:
    """Return the same for JSON: lists, dicts, numbers; None for nan."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
