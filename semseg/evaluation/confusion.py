"""Confusion matrices: one per image, counted in integers. Every score follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from semseg.errors import InvalidInputError

_CHUNK_PX = 1 << 17
"""That are counted at a time on a CPU: they stay in its cache, which makes it a third faster."""


def count_pixels(
    predicted: torch.Tensor, target: torch.Tensor, num_classes: int, ignore_index: int = 255
) -> torch.Tensor:
    """Count how often each class was taken for each.

    Args:
        predicted: train ids, integers, shape (height, width), on any device; `ignore_index` where no class was
            found, which counts as wrong.
        target: as `predicted`; `ignore_index` where nothing counts.
        num_classes: train ids go from 0 to num_classes - 1.
        ignore_index: of the target.

    Returns:
        int64, shape (num_classes, num_classes + 1), on the device of `predicted`; rows are the truth, columns the
        prediction, the last one is none.

    Raises:
        ValueError: the two sizes differ, or there are values outside the classes; the sentence says which and
            how often.
    """
    if predicted.shape != target.shape:
        raise InvalidInputError(
            f"the prediction is {_shown(predicted)} pixels large (height x width), its truth {_shown(target)}"
        )
    num_values = max(256, num_classes, ignore_index + 1)
    target = target.to(predicted.device, non_blocking=True)
    chunk = _CHUNK_PX if predicted.device.type == "cpu" else max(1, target.numel())
    counts = torch.zeros(num_values**2, dtype=torch.int64, device=predicted.device)
    for some_predicted, some_target in zip(
        predicted.flatten().split(chunk), target.flatten().split(chunk), strict=True
    ):
        for name, train_ids in (("prediction", some_predicted), ("truth", some_target)):
            # uint8 fits as it is; what is larger is looked at before it can fall into another cell
            if train_ids.dtype != torch.uint8 and train_ids.numel():
                low, high = (int(value) for value in train_ids.aminmax())
                if low < 0 or high >= num_values:
                    raise InvalidInputError(_outside(name, {low if low < 0 else high: None}, num_classes, ignore_index))
        cells = torch.add(some_predicted.long(), some_target, alpha=num_values)
        counts += torch.bincount(cells, minlength=num_values**2)
    counts = counts.view(num_values, num_values)
    matrix = torch.cat([counts[:num_classes, :num_classes], counts[:num_classes, ignore_index, None]], 1)
    if int(matrix.sum()) + int(counts[ignore_index].sum()) != target.numel():
        counts[ignore_index] = counts[:, ignore_index] = 0
        for name, found in (("truth", counts.sum(1)), ("prediction", counts.sum(0))):
            strange = {int(i): int(found[i]) for i in found[num_classes:].nonzero().flatten() + num_classes}
            if strange:
                raise InvalidInputError(_outside(name, strange, num_classes, ignore_index))
    return matrix


class Confusions(NamedTuple):
    """The confusion matrices of a set of images: of each only the cells that are not zero.

    Attributes:
        num_classes: of the matrices.
        images: what each image is called; unique.
        sizes: int64, shape (images, 2): height and width of the truth.
        image: int32, shape (entries,): number of the image that the entry belongs to, ascending.
        cell: int32, shape (entries,): truth * num_classes + prediction; num_classes**2 + truth where no class was
            predicted.
        count: int64, shape (entries,): pixels.
    """

    num_classes: int
    images: tuple[str, ...]
    sizes: np.ndarray
    image: np.ndarray
    cell: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, found: Mapping[str, tuple], num_classes: int) -> Confusions:
        """Put images together, sorted by name.

        Args:
            found: by name of the image: its size (height, width), and the cells and counts of `entries_of`.
            num_classes: of the matrices.
        """
        images = tuple(sorted(found))
        sizes, cells, counts = zip(*(found[name][:3] for name in images), strict=True) if images else ((), (), ())
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
        """Return what IoU and its kin are computed from, per image.

        Args:
            groups: number of the group of each class, for the same of groups of classes; default: each its own.
        """
        group = np.arange(self.num_classes) if groups is None else np.asarray(groups)
        num_groups = int(group.max(initial=-1)) + 1
        row, column = np.divmod(self.cell, self.num_classes)
        is_none = row >= self.num_classes
        truth = group[np.where(is_none, self.cell - self.num_classes**2, row)]
        predicted = np.where(is_none, num_groups, group[column])
        fields = []
        for column, count in (
            (truth, np.where(truth == predicted, self.count, 0)),
            (truth, self.count),
            (predicted, self.count),
        ):
            area = np.zeros((len(self.images), num_groups + 1), np.int64)
            np.add.at(area, (self.image, column), count)
            fields.append(area[:, :num_groups])
        return Areas(*fields)


def entries_of(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells of one matrix that are not zero, and their counts, as `Confusions` numbers them."""
    cells = np.concatenate([matrix[:, :-1].reshape(-1), matrix[:, -1]])
    (places,) = cells.nonzero()
    return places.astype(np.int32), cells[places]


class Areas(NamedTuple):
    """Pixels per class, int64, shape (..., num_classes).

    Attributes:
        intersect: that are of the class, and were taken for it.
        truth: that are of the class.
        predicted: that were taken for it; those that are ignored in the truth don't count.
    """

    intersect: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray

    @property
    def union(self) -> np.ndarray:
        """That are of the class, or were taken for it."""
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


def _outside(name: str, found: dict[int, int | None], num_classes: int, ignore_index: int) -> str:
    values = ", ".join(f"{value}" + ("" if count is None else f": {count} px") for value, count in found.items())
    hint = "map or ignore them" if name == "truth" else "the model has more classes than the data set"
    return f"the {name} holds values outside 0..{num_classes - 1} and {ignore_index} {{{values}}}; {hint}"
