"""Confusion matrices: one per image, counted in integers. All scores are computed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from semseg.errors import InvalidInputError

_CHUNK_PX = 1 << 17
"""Number of pixels that are counted at a time on a CPU: they fit into its cache, which saves a third of the time."""


def count_pixels(
    predicted: torch.Tensor, target: torch.Tensor, num_classes: int, ignore_index: int = 255
) -> torch.Tensor:
    """Count the confusion matrix of an image.

    Args:
        predicted: train ids, integers, shape (height, width), on any device; `ignore_index` where no class was
            predicted, which counts as wrong.
        target: train ids as `predicted`; `ignore_index` for pixels that do not count.
        num_classes: train ids are in the range 0 to num_classes - 1.
        ignore_index: value of the target that does not count.

    Returns:
        int64, shape (num_classes, num_classes + 1), on the device of `predicted`; rows are the truth, columns the
        prediction; the last column is for pixels without a predicted class.

    Raises:
        ValueError: the two sizes differ, or there are values outside the classes; the sentence names and counts them.
    """
    if predicted.shape != target.shape:
        raise InvalidInputError(
            f"the prediction is {_shown(predicted)} pixels large (height x width), its truth {_shown(target)}",
            code="E-input-size",
        )
    num_values = max(256, num_classes, ignore_index + 1)
    target = target.to(predicted.device, non_blocking=True)
    chunk = _CHUNK_PX if predicted.device.type == "cpu" else max(1, target.numel())
    counts = torch.zeros(num_values**2, dtype=torch.int64, device=predicted.device)
    for predicted_chunk, target_chunk in zip(
        predicted.flatten().split(chunk), target.flatten().split(chunk), strict=True
    ):
        for name, train_ids in (("prediction", predicted_chunk), ("truth", target_chunk)):
            # a value outside 0..num_values - 1 would be counted in the cell of other classes; uint8 is always inside
            if train_ids.dtype != torch.uint8 and train_ids.numel():
                low, high = (int(value) for value in train_ids.aminmax())
                if low < 0 or high >= num_values:
                    raise _outside_error(name, {low if low < 0 else high: None}, num_classes, ignore_index)
        cells = torch.add(predicted_chunk.long(), target_chunk, alpha=num_values)
        counts += torch.bincount(cells, minlength=num_values**2)
    counts = counts.view(num_values, num_values)
    matrix = torch.cat([counts[:num_classes, :num_classes], counts[:num_classes, ignore_index, None]], 1)
    if int(matrix.sum()) + int(counts[ignore_index].sum()) != target.numel():
        counts[ignore_index] = counts[:, ignore_index] = 0
        for name, num_pixels in (("truth", counts.sum(1)), ("prediction", counts.sum(0))):
            values = (num_pixels[num_classes:].nonzero().flatten() + num_classes).tolist()
            if values:
                counts_outside = {value: int(num_pixels[value]) for value in values}
                raise _outside_error(name, counts_outside, num_classes, ignore_index)
    return matrix


class Confusions(NamedTuple):
    """The confusion matrices of a set of images, without the cells that are zero.

    Attributes:
        num_classes: of the matrices.
        images: name of each image; unique.
        sizes: int64, shape (images, 2): height and width of the truth.
        image: int32, shape (entries,): index of the image that the entry belongs to, ascending.
        cell: int32, shape (entries,): truth * num_classes + prediction; num_classes**2 + truth where no class was
            predicted.
        count: int64, shape (entries,): number of pixels.
    """

    num_classes: int
    images: tuple[str, ...]
    sizes: np.ndarray
    image: np.ndarray
    cell: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, entries: Mapping[str, tuple], num_classes: int) -> Confusions:
        """Combine the matrices of images, sorted by name.

        Args:
            entries: by name of the image: its size (height, width), and the cells and counts of `entries_of`.
            num_classes: of the matrices.
        """
        images = tuple(sorted(entries))
        sizes, cells, counts = zip(*(entries[name][:3] for name in images), strict=True) if images else ((), (), ())
        return cls(
            num_classes,
            images,
            np.array(sizes, np.int64).reshape(-1, 2),
            np.repeat(np.arange(len(images), dtype=np.int32), [len(cell) for cell in cells]),
            np.concatenate([*cells, []]).astype(np.int32),
            np.concatenate([*counts, []]).astype(np.int64),
        )

    def total(self) -> np.ndarray:
        """Add up the matrices of all images: int64, shape (num_classes, num_classes + 1), as of `count_pixels`."""
        cells = np.zeros(self.num_classes * (self.num_classes + 1), np.int64)
        np.add.at(cells, self.cell, self.count)
        square, none = np.split(cells, [self.num_classes**2])
        return np.column_stack([square.reshape(self.num_classes, self.num_classes), none])

    def areas(self, groups: Sequence[int] | None = None) -> Areas:
        """Return the pixels per class, from which all scores are computed, for each image.

        Args:
            groups: number of the group of each class, to merge classes into groups; default: no class is merged.
        """
        group = np.arange(self.num_classes) if groups is None else np.asarray(groups)
        num_groups = int(group.max(initial=-1)) + 1
        row, column = np.divmod(self.cell, self.num_classes)
        is_none = row >= self.num_classes
        truth = group[np.where(is_none, self.cell - self.num_classes**2, row)]
        predicted = np.where(is_none, num_groups, group[column])

        def add_up(group_of_entry: np.ndarray, count: np.ndarray) -> np.ndarray:
            area = np.zeros((len(self.images), num_groups + 1), np.int64)
            np.add.at(area, (self.image, group_of_entry), count)
            return area[:, :num_groups]

        return Areas(
            intersect=add_up(truth, np.where(truth == predicted, self.count, 0)),
            truth=add_up(truth, self.count),
            predicted=add_up(predicted, self.count),
        )


def entries_of(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells of one matrix that are not zero, numbered as in `Confusions`, and their counts."""
    counts = np.concatenate([matrix[:, :-1].reshape(-1), matrix[:, -1]])
    (cells,) = counts.nonzero()
    return cells.astype(np.int32), counts[cells]


class Areas(NamedTuple):
    """Number of pixels per class, int64, shape (..., num_classes).

    Attributes:
        intersect: pixels of the class that were predicted as this class.
        truth: pixels of the class.
        predicted: pixels that were predicted as this class, without those that are ignored in the truth.
    """

    intersect: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray

    @property
    def union(self) -> np.ndarray:
        """Pixels of the class, or predicted as this class."""
        return self.truth + self.predicted - self.intersect

    @classmethod
    def of(cls, matrix: np.ndarray) -> Areas:
        """Return the areas of one confusion matrix, shape (num_classes, num_classes + 1)."""
        return cls(matrix.diagonal(), matrix.sum(1), matrix.sum(0)[:-1])

    def sum(self) -> Areas:
        """Add up all images."""
        return Areas(*(field.sum(0) for field in self))


def _shown(train_ids: torch.Tensor) -> str:
    return "x".join(str(side) for side in train_ids.shape)


def _outside_error(
    name: str, counts: Mapping[int, int | None], num_classes: int, ignore_index: int
) -> InvalidInputError:
    values = ", ".join(f"{value}" + ("" if count is None else f": {count} px") for value, count in counts.items())
    hint = "map or ignore them" if name == "truth" else "the model has more classes than the data set"
    return InvalidInputError(
        f"the {name} holds values outside 0..{num_classes - 1} and {ignore_index} {{{values}}}; {hint}",
        code="E-input-train-ids",
    )
