"""Scores by the size of an object, and by the height in the image."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from semseg.evaluation.bands import areas_by_band, count_by_band, plain, share
from semseg.evaluation.scores import a_acc, iou, mean_of_defined

SIZE_BOUNDS_PX = (32**2, 96**2)  # COCO's, in pixels of area
SIZE_NAMES = ("small", "medium", "large")
NUM_ROW_BANDS = 8


class ObjectSizes:
    """Recall of small, medium and large regions.

    A region is a connected component of one class in the truth, with 8 neighbours. Objects of one class that touch
    are one region: the truth of a semantic data set doesn't distinguish them.

    Args:
        num_classes: number of train ids.
        ignore_index: value of the truth that does not count.

    Attributes:
        counts: int64 arrays; the counts of several objects can be added.
    """

    needs_scores = False

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        self.train_ids = [train_id for train_id in range(num_classes) if train_id != ignore_index]
        shape = (len(SIZE_NAMES), num_classes)
        self.counts = {name: np.zeros(shape, np.int64) for name in ("objects", "pixels", "found")}

    def update(self, predicted: np.ndarray, target: np.ndarray, scores: torch.Tensor | None = None) -> None:
        """Count the regions of one image.

        Args:
            predicted: train ids, integers, shape (height, width).
            target: train ids as `predicted`, and `ignore_index` for pixels that do not count.
            scores: not used.
        """
        right = predicted == target
        for train_id in self.train_ids:
            mask = (target == train_id).view(np.uint8)
            left, top, width, height = cv2.boundingRect(mask)
            if not width:
                continue
            box = np.s_[top : top + height, left : left + width]
            _, regions, stats, _ = cv2.connectedComponentsWithStats(mask[box], connectivity=8)
            pixels = stats[1:, cv2.CC_STAT_AREA].astype(np.int64)
            num_right = np.bincount(regions[right[box]], minlength=len(stats))[1:]
            size = np.searchsorted(SIZE_BOUNDS_PX, pixels, side="right")
            np.add.at(self.counts["objects"][:, train_id], size, 1)
            np.add.at(self.counts["pixels"][:, train_id], size, pixels)
            np.add.at(self.counts["found"][:, train_id], size, num_right)

    def summary(self) -> dict:
        """Return, per size and class, the recall of the pixels in percent, and the number of regions."""
        return {
            "bounds_px": list(SIZE_BOUNDS_PX),
            "names": list(SIZE_NAMES),
            "recall": plain(share(self.counts["found"], self.counts["pixels"])),
            "objects": self.counts["objects"].tolist(),
        }


class ImageRows:
    """Scores of eight bands of equal height from the top of the image to its bottom; in a street scene, far to near.

    Args:
        num_classes: number of train ids.
        ignore_index: value of the truth that does not count.

    Attributes:
        counts: int64 arrays; the counts of several objects can be added.
    """

    needs_scores = False

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.counts = {"confusion": np.zeros((NUM_ROW_BANDS, num_classes, num_classes + 1), np.int64)}

    def update(self, predicted: np.ndarray, target: np.ndarray, scores: torch.Tensor | None = None) -> None:
        """Count the pixels of one image; the arguments are those of `ObjectSizes.update`."""
        height = len(target)
        band = np.arange(height)[:, None] * NUM_ROW_BANDS // height
        self.counts["confusion"] += count_by_band(
            band, NUM_ROW_BANDS, predicted, target, self.num_classes, self.ignore_index
        )

    def summary(self) -> dict:
        """Return the edges of the bands, in the range 0 to 1 of the height, and the scores of each in percent."""
        areas = areas_by_band(self.counts["confusion"])
        return {
            "edges": [i / NUM_ROW_BANDS for i in range(NUM_ROW_BANDS + 1)],
            "aAcc": plain(a_acc(areas)),
            "mIoU": plain(mean_of_defined(iou(areas))),
            "share": plain(share(areas.truth.sum(-1), areas.truth.sum())),
        }
