"""What a report tells, read from the files that training and test left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semseg.analysis.curves import Curve, read_curves
from semseg.errors import InvalidInputError, MissingInputError
from semseg.evaluation.results import Results, read_results
from semseg.system.folders import walk_files

_PANEL = re.compile(r"(?P<image>.+)_iter_(?P<iteration>\d+)\.jpg")
_NUM_PANELS, _NUM_ITERATIONS = 4, 16  # of the flip book: what a page of 25 MB has room for


class Confusion(NamedTuple):
    """Pixels of one class that were taken for another.

    Attributes:
        truth: name of their class.
        predicted: name of the class that they were taken for.
        share: of the labelled pixels of their class, percent.
        pixels: how many.
    """

    truth: str
    predicted: str
    share: float
    pixels: int


class Image(NamedTuple):
    """One image of the test.

    Attributes:
        name: relative to the folder of the images.
        scores: mIoU and aAcc in percent, None where undefined.
        iou: in percent, shape (num_classes,), None where undefined.
        slices: part by slice, such as {"weather": "rain"}.
        worst: the confusion that costs most pixels, None without one.
        photograph_path: None where there is none any more; so with the next two.
        target_path: train ids.
        predicted_path: train ids.
        exif: whether masks lie on the photograph as it is turned by its EXIF (`apply`), or as stored (`ignore`).
        bits: how many are in use of the 16 of a value, in photographs that store 16.
    """

    name: str
    scores: dict[str, float | None]
    iou: list[float | None]
    slices: dict[str, str]
    worst: Confusion | None
    photograph_path: Path | None
    target_path: Path | None
    predicted_path: Path | None
    exif: str = "apply"
    bits: int | None = None


class Training(NamedTuple):
    """What the training of a checkpoint left behind.

    Attributes:
        curves: by key, such as `loss`; empty without any.
        panels: pictures of validations: path by iteration, by image.
    """

    curves: dict[str, Curve]
    panels: dict[str, dict[int, Path]]


def find_results(path: Path) -> Path:
    """Return the folder of results that a person means.

    Args:
        path: a folder of results, or the work folder of a training, whose newest results count.

    Raises:
        FileNotFoundError: there is no such folder, or it holds no results.
    """
    if not path.is_dir():
        raise MissingInputError(f"no folder {path}; expected a folder of results, or the work folder of a training")
    if (path / "results.json").is_file():
        return path
    found = sorted(path.glob("test/*/results.json"), key=lambda file: file.stat().st_mtime)
    if not found:
        raise MissingInputError(
            f"no results in {path}: expected results.json or test/*/results.json, which tools/test.py writes"
        )
    return found[-1].parent


def read_compared(folder: Path, results: Results) -> Results:
    """Read the results to compare with.

    Raises:
        ValueError: their classes are others.
    """
    other = read_results(folder)
    own, others = results.summary["classes"], other.summary["classes"]
    if own != others:
        differing = sorted(set(own) ^ set(others)) or ["their order"]
        raise InvalidInputError(
            f"{folder} has {len(others)} classes, {results.folder} {len(own)}, and they differ in "
            f"{', '.join(differing[:4])}; give two runs with the same classes"
        )
    return other


def find_work_dir(given: Path, results: Results) -> Path | None:
    """Return the work folder of the training: the one given, the one that the results name, the one they lie in."""
    named = results.summary["run"].get("work_dir")
    for folder in (given, Path(named) if named else None, results.folder.absolute().parent.parent):
        if folder not in (None, results.folder) and any(folder.glob("*/vis_data/scalars.json")):
            return folder
    return None


def read_training(work_dir: Path | None) -> Training:
    """Read curves and pictures of a training; nothing where there is no folder or nothing in it."""
    if work_dir is None:
        return Training({}, {})
    try:
        curves = read_curves(work_dir)
    except FileNotFoundError:  # begun, and nothing logged
        curves = {}
    return Training(curves, _find_panels(work_dir))


def _find_panels(work_dir: Path) -> dict[str, dict[int, Path]]:
    """Return pictures of a few images, evenly chosen: of those with most iterations, the first and the last of them."""
    found: dict[str, dict[int, Path]] = {}
    for folder in sorted(work_dir.glob("*/panels")):
        start = {path: match for path in sorted(folder.iterdir()) if (match := _PANEL.fullmatch(path.name))}
        first = min((int(match["iteration"]) for match in start.values()), default=0)
        if start:  # from there on this start replaces the earlier ones
            found = {name: {i: path for i, path in all_.items() if i < first} for name, all_ in found.items()}
        for path, match in start.items():
            found.setdefault(match["image"], {})[int(match["iteration"])] = path
    most = max(map(len, found.values()), default=0)
    names = [name for name, paths in found.items() if len(paths) == most > 0]
    return {
        name: {i: found[name][i] for i in evenly(sorted(found[name]), _NUM_ITERATIONS)}
        for name in evenly(names, _NUM_PANELS)
    }


def evenly(items: Iterable, num: int) -> list:
    """Choose at most `num`, evenly spread, the first and the last among them."""
    items = list(items)
    places = np.linspace(0, len(items) - 1, min(num, len(items))).round().astype(int)
    return [items[i] for i in places]


def largest_confusions(matrix: np.ndarray, classes: list[str], by: str, num: int = 10) -> list[Confusion]:
    """Return what is taken for something else most often.

    Args:
        matrix: pixels, shape (num_classes, num_classes + 1); rows are the truth, columns the prediction, the last
            one is none.
        classes: names.
        by: what is compared: `share` or `pixels`, see `Confusion`.
        num: at most so many.
    """
    matrix = np.asarray(matrix, np.int64)
    wrong = np.where(np.eye(*matrix.shape, dtype=bool), 0, matrix)
    share = 100 * wrong / np.maximum(matrix.sum(1, keepdims=True), 1)
    order = np.argsort(-(share if by == "share" else wrong), axis=None, kind="stable")[:num]
    pairs = [divmod(int(cell), matrix.shape[1]) for cell in order]
    predicted = [*classes, "no class"]
    return [Confusion(classes[t], predicted[p], float(share[t, p]), int(wrong[t, p])) for t, p in pairs if wrong[t, p]]


def read_images(results: Results) -> list[Image]:
    """Read the images of a test, those with the lowest mIoU first, those without one last."""
    classes, confusions = results.summary["classes"], results.confusions
    ends = np.searchsorted(confusions.image, np.arange(len(confusions.images) + 1))
    images = []
    for number, row in enumerate(results.images):
        entries = slice(ends[number], ends[number + 1])
        own = confusions._replace(
            image=confusions.image[entries], cell=confusions.cell[entries], count=confusions.count[entries]
        )
        worst = largest_confusions(own.total(), classes, "pixels", 1)
        images.append(
            Image(
                row["image"],
                {key: _number(row[key]) for key in ("mIoU", "aAcc")},
                [_number(row[f"IoU/{name}"]) for name in classes],
                {key: row[key] for key in results.summary["slices"]},
                worst[0] if worst else None,
                _existing(Path(row["path"])),
                _existing(results.folder / "target" / row["mask"]),
                _existing(results.folder / "predicted" / row["mask"]),
                results.summary["data"].get("exif") or "apply",
                results.summary["data"].get("bits"),
            )
        )
    return sorted(images, key=lambda image: (image.scores["mIoU"] is None, image.scores["mIoU"]))


def find_explained(folder: Path) -> dict[Path, list[Path]]:
    """Return what `tools/analyze.py explain` wrote about photographs: pictures by resolved path of the photograph."""
    found = {}
    for path in sorted(path for path in walk_files(folder) if path.name == "explain.json") if folder.is_dir() else []:
        account = json.loads(path.read_text(encoding="utf-8"))
        pictures = (path.parent / name for name in account["files"] if "/" not in name)
        found[Path(account["image"]).resolve()] = [picture for picture in pictures if picture.is_file()]
    return found


def _number(text: str) -> float | None:
    return float(text) if text else None


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
