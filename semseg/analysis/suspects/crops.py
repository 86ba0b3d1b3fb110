"""Draw a suspicious region: photograph, labels and prediction around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from semseg.analysis.report.pictures import data_uri, webp
from semseg.analysis.suspects.find import Suspect, judge_pictures
from semseg.analysis.suspects.held_out import Judge
from semseg.datasets.dataset_file import DatasetFile
from semseg.labels import IGNORED
from semseg.visualization.drawing import Sample, hatch, overlay

if TYPE_CHECKING:
    from semseg.inference.predictor import Predictor

VIEWS = ("photograph", "labels", "prediction")
_MARGIN = 0.4  # of the region, on each side
_MIN_SHARE = 0.25  # of the shorter side of the picture: smaller crops do not show what is around
_SIDE_PX = 360
_OPACITY = 0.55


def draw_all_crops(
    suspects: Sequence[Suspect], judges: Sequence[Judge], rules: DatasetFile, open_model: Callable[[Path], Predictor]
) -> list[dict[str, str]]:
    """Predict the pictures of some suspects again, and return the views of each suspect, in their order.

    Args:
        suspects: from `find_suspects`.
        judges, rules, open_model: as there.
    """
    crops: list[dict[str, str]] = [{} for _ in suspects]
    shares = [
        list(dict.fromkeys(suspect.pair for suspect in suspects if suspect.judge == place))
        for place in range(len(judges))
    ]
    pairs = [pair for share in shares for pair in share]
    judged = judge_pictures(judges, shares, rules, open_model)
    for pair, (sample, probabilities) in zip(pairs, judged, strict=True):
        predicted = probabilities.argmax(axis=0).astype(np.uint8)
        for place, suspect in enumerate(suspects):
            if suspect.pair == pair:
                crops[place] = draw_crops(suspect, sample, predicted, rules.palette)
    return crops


def draw_crops(suspect: Suspect, sample: Sample, predicted: np.ndarray, palette: Sequence) -> dict[str, str]:
    """Return the views as data URIs, by the names of `VIEWS`; the region is outlined in each.

    Args:
        suspect: the region.
        sample: the picture and its labels.
        predicted: train ids, uint8, shape (height, width).
        palette: RGB, shape (num_classes, 3).
    """
    window = crop_window(suspect.box, sample.train_ids.shape)
    mask = find_mask(suspect, sample.train_ids, predicted)[window]
    image, target, predicted = (
        np.ascontiguousarray(part[window]) for part in (sample.image, sample.train_ids, predicted)
    )
    scale = _SIDE_PX / max(target.shape)
    size = max(1, round(target.shape[1] * scale)), max(1, round(target.shape[0] * scale))
    photograph = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    views = {"photograph": photograph}
    for name, train_ids in (("labels", target), ("prediction", predicted)):
        enlarged = cv2.resize(train_ids, size, interpolation=cv2.INTER_NEAREST)
        views[name] = hatch(overlay(photograph, enlarged, palette, _OPACITY), enlarged == IGNORED)
    outline = cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(outline, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for view in views.values():
        for color, thickness in (((0, 0, 0), 4), ((255, 255, 255), 2)):
            cv2.drawContours(view, contours, -1, color, thickness)
    return {name: data_uri(webp(view)) for name, view in views.items()}


def crop_window(box: tuple[int, int, int, int], shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return rows and columns of the crop around a box, inside a picture of (height, width)."""
    left, top, width, height = box
    side = _MIN_SHARE * min(shape)
    slices = []
    for start, length, limit in ((top, height, shape[0]), (left, width, shape[1])):
        half = max(length * (0.5 + _MARGIN), side / 2)
        center = start + length / 2
        slices.append(slice(max(0, int(center - half)), min(limit, int(np.ceil(center + half)))))
    return slices[0], slices[1]


def find_mask(suspect: Suspect, target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return where a suspect is: bool, shape (height, width).

    If the prediction differs a little from the first one, which can happen on a GPU, it is the component in the box
    whose area is closest.
    """
    left, top, width, height = suspect.box
    box = np.s_[top : top + height, left : left + width]
    mask = np.zeros(target.shape, bool)
    mask[box] = target[box] == suspect.given
    if suspect.kind != "class":
        mask[box] &= predicted[box] == suspect.suggested
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    if len(stats) < 2:
        return mask
    return numbers == 1 + int(np.abs(stats[1:, cv2.CC_STAT_AREA] - suspect.area_px).argmin())
