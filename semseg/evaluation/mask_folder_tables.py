"""Show and write the scores of two folders of masks.

Pooled scores are computed from the pixels of all pictures together, as those of a test. Scores per image are computed
for each picture, and their mean is shown, which gives every picture the same weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from semseg import __version__
from semseg.checkpoints.facts import command_line, now
from semseg.evaluation import bootstrap, scores
from semseg.evaluation.confusion import Areas
from semseg.evaluation.mask_folders import FolderScores
from semseg.evaluation.results import summarize, write_results
from semseg.evaluation.slices import by_folder

_POOLED = {"aAcc": "accuracy (aAcc)", "mIoU": "mean IoU (mIoU)", "mF1": "mean F1 (mF1)"}
_COLUMNS = {"IoU": "IoU", "Acc": "accuracy", "Precision": "precision", "Recall": "recall", "F1": "F1 (Dice)"}


def per_image_means(found: FolderScores) -> dict[str, dict[str, Any]]:
    """Return the means over the images, in percent, with their 95 % intervals.

    Returns:
        By name (aAcc, mIoU, mF1, and F1/<class> of each class): `value`, `low`, `high`, and `num_images`, the number
        of images in which the score is defined: F1 is not if the class is neither in the target nor in the prediction.
    """
    areas = found.evaluation.confusions.areas()
    by_image = {name: values for name, values in scores.means(areas).items() if name in _POOLED}
    for name, values in zip(found.evaluation.classes, scores.f1(areas).T, strict=True):
        by_image[f"F1/{name}"] = values
    return {name: _mean(values) for name, values in by_image.items()}


def _mean(values: np.ndarray) -> dict[str, Any]:
    defined = values[~np.isnan(values)]
    if len(defined) < 2:
        value = float(defined.mean()) if len(defined) else math.nan
        return {"value": value, "low": math.nan, "high": math.nan, "num_images": len(defined)}
    draws = np.random.default_rng(0).integers(0, len(defined), (bootstrap.NUM_DRAWS, len(defined)))
    low, high = np.percentile(defined[draws].mean(1), (2.5, 97.5))
    return {"value": float(defined.mean()), "low": low, "high": high, "num_images": len(defined)}


def describe(found: FolderScores) -> list[str]:
    """Return the scores as lines of text, in percent, with 95 % intervals (see `bootstrap`) in brackets."""
    evaluation, images = found.evaluation, found.evaluation.confusions.images
    summary = summarize(evaluation, {})
    lines = [*found.notes, *_describe_pairs(found)]
    classes = summary["per_class"]
    width = max(5, *(len(row["class"]) for row in classes))
    lines += ["", f"pooled: the pixels of {_count(len(images), 'image')} together, in percent"]
    lines.append("class".ljust(width) + "".join(title.rjust(12) for title in _COLUMNS.values()))
    for row in classes:
        lines.append(row["class"].ljust(width) + "".join(_number(row[key]).rjust(12) for key in _COLUMNS))
    lines += [_line(text, summary["scores"][key]) for key, text in _POOLED.items()]
    if absent := scores.describe_absent(Areas.of(evaluation.confusions.total()), evaluation.classes):
        lines.append(absent)
    lines += ["", f"per image: the mean of the scores of {_count(len(images), 'image')}, in percent"]
    for name, score in per_image_means(found).items():
        if name in _POOLED or len(evaluation.classes) == 2:
            missing = len(images) - score["num_images"]
            note = f", undefined in {_count(missing, 'image')}" if missing else ""
            text = _POOLED.get(name) or f"F1 (Dice) of {name.partition('/')[2]}"
            lines.append(_line(text, score) + note)
    return lines


def _describe_pairs(found: FolderScores) -> list[str]:
    lines = []
    endings = [f"{ending!r} of the {kind}" for kind, ending in found.matched.endings.items() if ending]
    if endings:
        lines.append(f"paired by name without {', '.join(endings)}")
    num_px = int(found.evaluation.confusions.sizes.prod(axis=1).sum())
    if found.num_outside:
        inside = num_px - found.num_outside
        lines.append(f"only pixels inside the regions of interest count: {inside:,}, {inside / num_px:.2%} of all")
    if found.num_unassigned:
        lines.append(f"{found.num_unassigned:,} pixels are 255 in the predictions, no class, and count as wrong")
    return lines


def write(found: FolderScores, folder: Path, predictions: Path, targets: Path) -> None:
    """Write the tables of a test, see `write_results`, with `per_image_means` in results.json.

    Args:
        found: the counts.
        folder: created if it does not exist.
        predictions, targets: the folders that were compared.
    """
    images = found.evaluation.confusions.images
    run = {
        "model": None,
        "config": None,
        "checkpoint": str(predictions),
        "tta": False,
        "iteration": None,
        "seed": None,
        "versions": {"semseg": __version__, "numpy": np.__version__},
        "command": command_line(),
        "work_dir": None,
    }
    data = {
        "name": str(targets),
        "root": str(targets),
        "split": "",
        "num_images": len(images),
        "exif": "apply",
        "bits": None,
        "fingerprint": None,
    }
    facts = {"created": now(), "run": run, "data": data, "per_image_means": per_image_means(found)}
    files = [{"path": "", "mask": f"{name}.png"} for name in images]  # there are no photographs
    write_results(folder, found.evaluation, facts, files, by_folder(images))


def _line(text: str, score: Mapping[str, Any]) -> str:
    low, high = score["low"], score["high"]
    interval = f"  ({low:.2f} to {high:.2f})" if math.isfinite(low) and math.isfinite(high) else ""
    return f"{text:28}{_number(score['value']).rjust(6)}{interval}"


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "-"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"
