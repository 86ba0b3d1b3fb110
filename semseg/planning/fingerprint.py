"""The fingerprint of a labelled set: the figures by which a training is planned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.pairs import Pair, find_pairs
from semseg.datasets.picture_sizes import sample_pictures, spread_sample
from semseg.errors import InvalidDataError
from semseg.planning.picture_facts import STRIDES, PictureFacts, measure_picture
from semseg.system.machine import num_cpus
from semseg.system.worker_pool import run_all

SCHEMA = 1
_DIGITS = 4  # significant ones in the file: more would only be noise


@dataclass(frozen=True)
class ClassFigures:
    """A class, in the sampled pictures.

    Attributes:
        name: of the class.
        pixel_share: of the labelled pixels, 0..1.
        picture_share: of the pictures in which it occurs.
        num_objects: connected parts, in all sampled pictures.
        object_area_px: median, of the parts; 0 if there is none.
        object_width_px: median of their largest widths.
        size_spread: 90 % quantile of the square roots of the areas, divided by the 10 % quantile; 1 with one part.
        width_px: half of the area belongs to structures of at most this width, see `picture_facts`.
        narrow_width_px: as `width_px`, a tenth of the area.
        kept: IoU that is left of the truth at each stride of `STRIDES`, in their order, 0..1.
    """

    name: str
    pixel_share: float
    picture_share: float
    num_objects: int
    object_area_px: float
    object_width_px: float
    size_spread: float
    width_px: float
    narrow_width_px: float
    kept: tuple[float, ...]


@dataclass(frozen=True)
class Fingerprint:
    """Figures of a set; all but the sizes and counts are those of a sample of the pictures of `split`.

    Attributes:
        dataset: the dataset.yaml.
        split: that was measured, the one to train on.
        num_pictures: by split.
        num_groups: groups of related pictures in `split`.
        group_rule: how they were found, see `group_pictures` of `semseg.datasets.folds`.
        num_measured: sampled pictures.
        size: median height and width, px.
        smallest_size, largest_size: shortest and longest side of a picture, px.
        aspect: median of width / height.
        color_mean, color_std: RGB, 0..255.
        color_spread: standard deviation of the mean brightness between pictures, 0..255.
        saturation: mean, 0..1.
        hue_spread: 0: all colours have one hue; 1: hues in all directions.
        ignored_share: of all pixels.
        border_share: share of the labelled pixels that touch another class.
        top_bottom, left_right: how much the places of the classes change when the picture is turned over, 0 (not at
            all) to 1; the mean over classes.
        turn: as `top_bottom`, by a quarter turn.
        kept: mean over the classes of what is left at each stride of `STRIDES`.
        classes: their figures, by train id.
    """

    dataset: str
    split: str
    num_pictures: dict[str, int]
    num_groups: int
    group_rule: str
    num_measured: int
    size: tuple[int, int]
    smallest_side: int
    largest_side: int
    aspect: float
    color_mean: tuple[float, ...]
    color_std: tuple[float, ...]
    color_spread: float
    saturation: float
    hue_spread: float
    ignored_share: float
    border_share: float
    top_bottom: float
    left_right: float
    turn: float
    kept: tuple[float, ...]
    classes: tuple[ClassFigures, ...]

    def to_plain_data(self) -> dict[str, Any]:
        """Return the figures as JSON data."""
        return {"schema": SCHEMA, "strides": list(STRIDES), **_rounded(asdict(self))}


def take_fingerprint(
    path: str | Path,
    groups: Callable[[DatasetFile, Sequence[Pair]], tuple[str, Mapping[str, int]]],
    split: str = "train",
    on_progress: Callable[[int, int], None] | None = None,
) -> Fingerprint:
    """Measure a set: at most 256 pictures, spread evenly over the split.

    Args:
        path: of the dataset.yaml.
        groups: returns the rule by which pictures belong together, and the sizes of the groups.
        split: to measure.
        on_progress: called with the number of pictures measured, and the number to measure.

    Raises:
        FileNotFoundError, ValueError: as in `read_dataset_file`, `find_pairs` and `measure_picture`; or no pixel of
            the sample is labelled.
    """
    rules = read_dataset_file(path)
    pairs = find_pairs(rules, split).pairs
    rule, group_sizes = groups(rules, pairs)
    sample = spread_sample(pairs)
    facts = run_all(partial(measure_picture, str(path)), sample, num_cpus(), on_progress)
    sizes = np.array([(p.height, p.width) for p in sample_pictures([rules], [split])] or [f.size for f in facts])
    pixels = np.sum([f.pixels for f in facts], axis=0)
    labelled = int(pixels.sum())
    if not labelled:
        raise InvalidDataError(
            f"{path}: no pixel of {len(facts)} masks of split {split!r} is labelled; nothing can be learned from it",
            code="E-data-empty",
        )
    ignored = sum(f.ignored for f in facts)
    kept = _kept(facts)
    hue = np.sum([f.hue for f in facts], axis=0)
    occurs = pixels > 0
    rows, columns = (np.sum([getattr(f, name) for f in facts], axis=0)[occurs] for name in ("rows", "columns"))
    rows, columns = (bands / bands.sum(axis=1, keepdims=True).clip(1) for bands in (rows, columns))
    return Fingerprint(
        dataset=str(path),
        split=split,
        num_pictures={name: len(find_pairs(rules, name).pairs) for name in rules.splits},
        num_groups=len(group_sizes),
        group_rule=rule,
        num_measured=len(facts),
        size=(int(np.median(sizes[:, 0])), int(np.median(sizes[:, 1]))),
        smallest_side=int(sizes.min()),
        largest_side=int(sizes.max()),
        aspect=float(np.median(sizes[:, 1] / sizes[:, 0])),
        color_mean=tuple(map(float, np.mean([f.color_mean for f in facts], axis=0))),
        color_std=tuple(map(float, np.mean([f.color_std for f in facts], axis=0))),
        color_spread=float(np.std([f.color_mean.mean() for f in facts])),
        saturation=float(np.mean([f.saturation for f in facts])),
        hue_spread=float(1 - np.hypot(hue[0], hue[1]) / max(hue[2], 1e-9)),
        ignored_share=ignored / (labelled + ignored),
        border_share=sum(f.border for f in facts) / labelled,
        top_bottom=_distance(rows, rows[:, ::-1]),
        left_right=_distance(columns, columns[:, ::-1]),
        turn=_distance(rows, columns),
        kept=tuple(map(float, np.nanmean(kept, axis=1))),
        classes=tuple(_class_figures(facts, i, name, labelled, kept[:, i]) for i, name in enumerate(rules.classes)),
    )


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the total variation distance between the bands of each class; the mean over the classes."""
    return float(np.abs(first - second).sum(axis=1).mean() / 2)


def _kept(facts: Sequence[PictureFacts]) -> np.ndarray:
    """Return the IoU by stride and class, float64; NaN for a class that does not occur."""
    both, either = np.moveaxis(np.sum([f.kept for f in facts], axis=0), -1, 0)
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


def _class_figures(
    facts: Sequence[PictureFacts], train_id: int, name: str, labelled: int, kept: np.ndarray
) -> ClassFigures:
    objects = np.concatenate([f.objects for f in facts])
    objects = objects[objects[:, 0] == train_id]
    sides = np.sqrt(objects[:, 1])
    widths = np.sum([f.widths[train_id] for f in facts], axis=0)
    widths = widths * np.arange(len(widths))  # a pixel of the ridge stands for a cut of this length, so for this area
    return ClassFigures(
        name=name,
        pixel_share=float(sum(int(f.pixels[train_id]) for f in facts) / labelled),
        picture_share=float(np.mean([f.pixels[train_id] > 0 for f in facts])),
        num_objects=len(objects),
        object_area_px=float(np.median(objects[:, 1])) if len(objects) else 0.0,
        object_width_px=float(np.median(objects[:, 2])) if len(objects) else 0.0,
        size_spread=float(np.quantile(sides, 0.9) / np.quantile(sides, 0.1)) if len(objects) else 1.0,
        width_px=_quantile(widths, 0.5),
        narrow_width_px=_quantile(widths, 0.1),
        kept=tuple(0.0 if np.isnan(share) else float(share) for share in kept),
    )


def _quantile(counts: np.ndarray, level: float) -> float:
    """Return a quantile of the values 0, 1, 2..., which weigh `counts`; 0 if there is none."""
    total = counts.sum()
    return float(np.searchsorted(np.cumsum(counts), level * total)) if total else 0.0


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(part) for part in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
