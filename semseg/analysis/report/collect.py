"""Read the data of a report from the files that training and test wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semseg.analysis.curves import Curve, read_curves
from semseg.datasets.bands import Bands
from semseg.errors import InvalidInputError, MissingInputError
from semseg.evaluation.results import Results, read_results
from semseg.system.folders import walk_files

_PANEL = re.compile(r"(?P<image>.+)_iter_(?P<iteration>\d+)\.jpg")
_NUM_PANELS, _NUM_ITERATIONS = 4, 16  # of the flip book; the page must stay below 25 MB


class Confusion(NamedTuple):
    """Pixels of one class that were predicted as another class.

    Attributes:
        truth: name of their class.
        predicted: name of the predicted class.
        share: of the labelled pixels of their class, percent.
        pixels: number of these pixels.
    """

    truth: str
    predicted: str
    share: float
    pixels: int


class Image(NamedTuple):
    """One tested image.

    Attributes:
        name: relative to the folder of the images.
        scores: mIoU and aAcc in percent, None where undefined.
        iou: in percent, shape (num_classes,), None where undefined.
        slices: value of each slice, such as {"weather": "rain"}.
        worst: the confusion with the most pixels; None if there is none.
        photograph_path: None if the file does not exist any more; so are the next two.
        target_path: train ids.
        predicted_path: train ids.
        exif: whether the masks fit the photograph after its EXIF rotation (`apply`) or as stored (`ignore`).
        bits: number of used bits, in photographs that store 16 bits.
        bands: of pictures that are not RGB.
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
    bands: Bands | None = None


class Training(NamedTuple):
    """The curves and pictures of a training.

    Attributes:
        curves: by key, such as `loss`; may be empty.
        panels: paths of validation pictures, by iteration, by image.
    """

    curves: dict[str, Curve]
    panels: dict[str, dict[int, Path]]


def find_results(path: Path) -> Path:
    """Return a folder of results.

    Args:
        path: a folder of results, or the work folder of a training; then the newest results are returned.

    Raises:
        FileNotFoundError: there is no such folder, or it has no results.
    """
    if not path.is_dir():
        raise MissingInputError(
            f"no folder {path}; expected a folder of results, or the work folder of a training", code="E-input-missing"
        )
    if (path / "results.json").is_file():
        return path
    result_paths = sorted(path.glob("test/*/results.json"), key=lambda file: file.stat().st_mtime)
    if not result_paths:
        raise MissingInputError(
            f"no results in {path}: expected results.json or test/*/results.json, which tools/test.py writes",
            code="E-input-missing",
        )
    return result_paths[-1].parent


def read_compared(folder: Path, results: Results) -> Results:
    """Read the results of a second run.

    Raises:
        ValueError: its classes are different.
    """
    other = read_results(folder)
    own, others = results.summary["classes"], other.summary["classes"]
    if own != others:
        differing = sorted(set(own) ^ set(others)) or ["their order"]
        raise InvalidInputError(
            f"{folder} has {len(others)} classes, {results.folder} {len(own)}, and they differ in "
            f"{', '.join(differing[:4])}; give two runs with the same classes",
            code="E-input-incomparable",
        )
    return other


def find_work_dir(given: Path, results: Results) -> Path | None:
    """Return the work folder of the training: `given`, the one named in the results, or the one that contains them."""
    named = results.summary["run"].get("work_dir")
    for folder in (given, Path(named) if named else None, results.folder.absolute().parent.parent):
        if folder is not None and folder != results.folder and any(folder.glob("*/vis_data/scalars.json")):
            return folder
    return None


def read_training(work_dir: Path | None) -> Training:
    """Read the curves and pictures of a training; both are empty without a folder."""
    if work_dir is None:
        return Training({}, {})
    try:
        curves = read_curves(work_dir)
    except FileNotFoundError:  # the training has not logged anything yet
        curves = {}
    return Training(curves, _find_panels(work_dir))


def _find_panels(work_dir: Path) -> dict[str, dict[int, Path]]:
    """Return validation pictures of a few images, evenly spaced among those with the most iterations."""
    panels: dict[str, dict[int, Path]] = {}
    for folder in sorted(work_dir.glob("*/panels")):
        start = {path: match for path in sorted(folder.iterdir()) if (match := _PANEL.fullmatch(path.name))}
        first = min((int(match["iteration"]) for match in start.values()), default=0)
        if start:  # from its first iteration on, this start replaces the earlier ones
            panels = {name: {i: path for i, path in paths.items() if i < first} for name, paths in panels.items()}
        for path, match in start.items():
            panels.setdefault(match["image"], {})[int(match["iteration"])] = path
    num_most = max(map(len, panels.values()), default=0)
    names = [name for name, paths in panels.items() if len(paths) == num_most > 0]
    return {
        name: {i: panels[name][i] for i in evenly(sorted(panels[name]), _NUM_ITERATIONS)}
        for name in evenly(names, _NUM_PANELS)
    }


def evenly(items: Iterable, num: int) -> list:
    """Return at most `num` items, evenly spaced, including the first and the last one."""
    items = list(items)
    indices = np.linspace(0, len(items) - 1, min(num, len(items))).round().astype(int)
    return [items[i] for i in indices]


def largest_confusions(matrix: np.ndarray, classes: list[str], by: str, num: int = 10) -> list[Confusion]:
    """Return the most frequent confusions.

    Args:
        matrix: pixels, shape (num_classes, num_classes + 1); rows are the ground truth, columns the prediction; the
            last column is for pixels without a predicted class.
        classes: names.
        by: sort by `share` or `pixels`, see `Confusion`.
        num: maximum number of confusions.
    """
    matrix = np.asarray(matrix, np.int64)
    wrong = np.where(np.eye(*matrix.shape, dtype=bool), 0, matrix)
    share = 100 * wrong / np.maximum(matrix.sum(1, keepdims=True), 1)
    order = np.argsort(-(share if by == "share" else wrong), axis=None, kind="stable")[:num]
    pairs = [divmod(int(cell), matrix.shape[1]) for cell in order]
    predicted = [*classes, "no class"]
    return [Confusion(classes[t], predicted[p], float(share[t, p]), int(wrong[t, p])) for t, p in pairs if wrong[t, p]]


def read_images(results: Results) -> list[Image]:
    """Read the tested images, sorted by mIoU, lowest first; those without mIoU are last."""
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
                Bands.from_step(bands) if (bands := results.summary["data"].get("bands")) else None,
            )
        )
    return sorted(images, key=lambda image: (image.scores["mIoU"] is None, image.scores["mIoU"]))


def find_explained(folder: Path) -> dict[Path, list[Path]]:
    """Return the pictures that `tools/analyze.py explain` wrote, by resolved path of the photograph."""
    explained = {}
    for path in sorted(path for path in walk_files(folder) if path.name == "explain.json") if folder.is_dir() else []:
        result = json.loads(path.read_text(encoding="utf-8"))
        pictures = (path.parent / name for name in result["files"] if "/" not in name)
        explained[Path(result["image"]).resolve()] = [picture for picture in pictures if picture.is_file()]
    return explained


def _number(text: str) -> float | None:
    return float(text) if text else None


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
