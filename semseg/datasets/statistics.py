"""Count how often each class occurs in a labelled set, and compute class weights from the counts.

A class weight multiplies the loss of every pixel whose target is that class. All formulas are normalised in the same
way: the mean of the weights over the labelled pixels is 1, so that a weighted loss has the same size as one without
weights, and the learning rate need not change. A class that doesn't occur has weight 1, which is never used.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semseg.datasets.class_counts import DatasetFileLoader, count_train_ids
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.image_files import listed, most_frequent
from semseg.datasets.pairs import find_pairs
from semseg.errors import InvalidDataError
from semseg.labels import IGNORED

OnProgress = Callable[[int, int], None]  # (masks done, masks in all)


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """The class counts of the masks of a split; every array is int64, shape (num_classes,).

    Attributes:
        pixels: number of pixels of each class.
        images: number of images in which each class occurs.
        pixels_beside: number of labelled pixels, of all classes, in the images in which each class occurs.
        ignored: number of pixels that are not labelled (255).
        num_images: number of all images.
    """

    pixels: np.ndarray
    images: np.ndarray
    pixels_beside: np.ndarray
    ignored: int
    num_images: int

    @property
    def labelled(self) -> int:
        """Number of pixels that have a class."""
        return int(self.pixels.sum())

    @property
    def shares(self) -> np.ndarray:
        """Share of each class in the labelled pixels, float64; 0 if no pixel is labelled."""
        return self.pixels / max(1, self.labelled)

    @property
    def ignored_share(self) -> float:
        """Share of the ignored pixels in all pixels."""
        return self.ignored / max(1, self.labelled + self.ignored)


def count_dataset_file(
    path: str | Path, split: str, num_processes: int = 1, on_progress: OnProgress | None = None
) -> ClassCounts:
    """Count the classes of one split of a dataset.yaml.

    Args:
        path: of the dataset.yaml.
        split: of it.
        num_processes: most processes that read masks.
        on_progress: called with the number of masks read and the number of masks to read.

    Raises:
        FileNotFoundError, ValueError: as in `read_dataset_file`, `find_pairs` and `decode_pair`.
    """
    rules = read_dataset_file(path)
    infos = [
        dict(zip(("img_path", "seg_map_path", "roi_path"), (path and str(path) for path in pair), strict=True))
        for pair in find_pairs(rules, split).pairs
    ]
    return add_up(count_train_ids(DatasetFileLoader(path), infos, num_processes, on_progress), len(rules.classes))


def add_up(histograms: np.ndarray | Sequence[np.ndarray], num_classes: int) -> ClassCounts:
    """Turn the histograms of masks into counts of classes.

    Args:
        histograms: from `count_train_ids`, shape (number of masks, 256).
        num_classes: of the set.

    Raises:
        ValueError: there is no mask, or the masks hold a value that is neither a class nor 255.
    """
    if not len(histograms):
        raise InvalidDataError("there is no mask to count", code="E-data-empty")
    by_image = np.asarray(histograms)
    totals = by_image.sum(axis=0)
    unknown = {value: int(totals[value]) for value in range(num_classes, IGNORED) if totals[value]}
    if unknown:
        raise InvalidDataError(
            f"masks hold values outside 0..{num_classes - 1} and {IGNORED}:"
            f" {listed(most_frequent(unknown, unknown.values()))}; load them with LoadTrainIds to see which mask",
            code="E-data-mask-values",
        )
    by_image = by_image[:, :num_classes]
    return ClassCounts(
        pixels=totals[:num_classes],
        images=(by_image > 0).sum(axis=0),
        pixels_beside=((by_image > 0) * by_image.sum(axis=1, keepdims=True)).sum(axis=0),
        ignored=int(totals[IGNORED]),
        num_images=len(by_image),
    )


def median_frequency(counts: ClassCounts) -> np.ndarray:
    """Median frequency balancing: the median of all frequencies / frequency.

    Frequency: pixels of the class / labelled pixels of the images in which it occurs. So a class that is rare because
    few images hold it has a lower weight than one that is small in every image.

    Source: Eigen and Fergus, "Predicting Depth, Surface Normals and Semantic Labels with a Common Multi-Scale
    Convolutional Architecture", ICCV 2015.
    """
    frequency = counts.pixels / np.maximum(1, counts.pixels_beside)
    return np.median(frequency[counts.pixels > 0]) / frequency


def enet(counts: ClassCounts) -> np.ndarray:
    """1 / ln(1.02 + share): bounded, no weight is more than 36 times another.

    Source: Paszke et al., "ENet: A Deep Neural Network Architecture for Real-Time Semantic Segmentation",
    arXiv:1606.02147 (2016), with c = 1.02.
    """
    return 1 / np.log(1.02 + counts.shares)


def inverse(counts: ClassCounts) -> np.ndarray:
    """1 / share: every class that occurs has the same share of the loss."""
    return 1 / counts.shares


def sqrt_inverse(counts: ClassCounts) -> np.ndarray:
    """Share ** -0.5: halfway between no weights and `inverse`, on a logarithmic scale.

    Source: Mahajan et al., "Exploring the Limits of Weakly Supervised Pretraining", ECCV 2018
    (where it gives how often to sample a class).
    """
    return counts.shares**-0.5


FORMULAS: dict[str, Callable[[ClassCounts], np.ndarray]] = {
    "median-frequency": median_frequency,
    "enet": enet,
    "inverse": inverse,
    "sqrt-inverse": sqrt_inverse,
}
"""By name, as in `class_weight='auto:NAME'` and in the columns of the table; the first one is the default."""


def class_weights(counts: ClassCounts, formula: str) -> np.ndarray:
    """Return a weight for each class; their mean over the labelled pixels is 1.

    Args:
        counts: of the training split.
        formula: a key of FORMULAS.

    Returns:
        float64, shape (num_classes,); 1 for a class that doesn't occur.

    Raises:
        ValueError: no pixel is labelled.
    """
    occurs = counts.pixels > 0
    if not occurs.any():
        raise InvalidDataError(
            f"no pixel of {counts.num_images} masks is labelled, so there are no class weights", code="E-data-empty"
        )
    with np.errstate(divide="ignore"):
        weights = FORMULAS[formula](counts)
    mean = (counts.shares[occurs] * weights[occurs]).sum()
    return np.where(occurs, weights / mean, 1.0)


def table(counts: ClassCounts, classes: Sequence[str]) -> list[str]:
    """Return the counts as aligned lines: pixels, images and weights by class, and the ignored pixels."""
    occurs = counts.pixels > 0
    weights = {name: class_weights(counts, name) for name in FORMULAS} if occurs.any() else {}
    rows = [["class", "pixels", "share", "images", "share", *weights]]
    for i, name in enumerate(classes):
        shown = [f"{column[i]:#.3g}" if occurs[i] else "-" for column in weights.values()]
        rows.append([name, *_cells(counts.pixels[i], counts.labelled, counts.images[i], counts.num_images)])
        rows[-1] += shown
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    lines.insert(1, "-" * len(lines[0]))
    return [*lines, "-" * len(lines[0]), f"ignored: {counts.ignored:,} px, {counts.ignored_share:.2%} of all"]


def _cells(pixels: int, labelled: int, images: int, num_images: int) -> list[str]:
    return [f"{pixels:,}", f"{pixels / max(1, labelled):.2%}", f"{images:,}", f"{images / num_images:.0%}"]


def write_csv(counts: ClassCounts, classes: Sequence[str], path: Path) -> None:
    """Write the counts as a CSV file, with shares from 0 to 1; the last row has the ignored pixels."""
    weights = {name: class_weights(counts, name) for name in FORMULAS} if counts.labelled else {}
    all_pixels = counts.labelled + counts.ignored
    head = ["train_id", "class", "pixels", "share_of_all", "share_of_labelled", "images", "share_of_images"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*head, *weights])
        for i, name in enumerate(classes):
            shares = (counts.pixels[i] / max(1, all_pixels), counts.shares[i])
            row = [i, name, counts.pixels[i], *(f"{share:.6g}" for share in shares), counts.images[i]]
            row.append(f"{counts.images[i] / counts.num_images:.6g}")
            writer.writerow([*row, *(f"{column[i]:.6g}" for column in weights.values())])
        ignored = [IGNORED, "ignored", counts.ignored, f"{counts.ignored_share:.6g}"]
        writer.writerow([*ignored, *[""] * (3 + len(weights))])
