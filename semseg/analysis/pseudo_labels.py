"""Choose the pixels of a prediction that become labels: of each class, the most confident share."""

from __future__ import annotations

import numpy as np

from semseg.labels import IGNORED

_NUM_LEVELS = 0x3C01  # float16 from 0 to 1 are the bit patterns 0x0000 to 0x3C00, in order


class DoubtCounts:
    """A histogram of the doubt of the pixels of each class, over any number of images, in constant memory.

    Args:
        num_classes: of the train ids.

    Attributes:
        counts: int64, shape (num_classes, levels of float16 from 0 to 1), by predicted class.
    """

    def __init__(self, num_classes: int) -> None:
        self.counts = np.zeros((num_classes, _NUM_LEVELS), np.int64)

    def update(self, train_ids: np.ndarray, doubt: np.ndarray) -> None:
        """Count an image.

        Args:
            train_ids: uint8, 0 to num_classes - 1, of any shape.
            doubt: 1 minus the probability of the winning class, float16, of the same shape.
        """
        cells = train_ids.ravel().astype(np.int64) * _NUM_LEVELS + _levels(doubt).ravel()
        self.counts += np.bincount(cells, minlength=self.counts.size).reshape(self.counts.shape)

    def max_doubt(self, share: float) -> np.ndarray:
        """Return the largest doubt of the most certain `share` of the pixels of each class.

        This is the class-balanced choice of CBST (Zou et al. 2018, arXiv:1810.07911): with one threshold for all
        classes, rare and difficult classes would get no labels. All pixels with exactly this doubt are kept, so the
        kept share may be larger.

        Args:
            share: above 0, to 1.

        Returns:
            float16, shape (num_classes,); 0 for a class without pixels.
        """
        num_wanted = np.ceil(share * self.counts.sum(1) - 1e-9)[:, None]
        enough = self.counts.cumsum(1) >= num_wanted
        return enough.argmax(1).astype(np.uint16).view(np.float16)


def pseudo_labels(train_ids: np.ndarray, doubt: np.ndarray, max_doubt: np.ndarray) -> np.ndarray:
    """Return the train ids that are certain enough, and 255 (ignored) elsewhere: uint8, shape (height, width).

    Args:
        train_ids: uint8, shape (height, width); 255 where the photograph has no data.
        doubt: 1 minus the probability of the winning class, float16, shape (height, width).
        max_doubt: up to which a pixel is kept, by class, float16, shape (num_classes,).
    """
    limits = np.full(256, -1, max_doubt.dtype)  # train ids without a class, such as 255, are never kept
    limits[: len(max_doubt)] = max_doubt
    return np.where(doubt <= limits[train_ids], train_ids, np.uint8(IGNORED))


def _levels(doubt: np.ndarray) -> np.ndarray:
    return np.abs(np.ascontiguousarray(doubt, np.float16)).view(np.uint16)
