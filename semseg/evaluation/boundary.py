"""How accurate the outlines are: boundary IoU, and scores by the distance to the nearest true border."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from semseg.evaluation.bands import areas_by_band, count_by_band, plain, share
from semseg.evaluation.confusion import Areas
from semseg.evaluation.scores import a_acc, iou, mean_of_defined

TRIMAP_WIDTHS_PX = (1, 2, 4, 8, 16, 32)


class BoundaryIoU:
    """Boundary IoU (Cheng et al. 2021, arXiv:2103.16562) of semantic classes.

    For each class, only the pixels within a distance d of its outline count: in the truth the distance to the true
    outline, in the prediction to the predicted one. The edges of the image and of ignored areas are outlines in both.
    As in the authors' code, a pixel is within d if |dx| and |dy| are at most d. A class that is predicted but not in
    the truth has IoU 0.

    Args:
        num_classes: number of train ids.
        ignore_index: value of the truth that does not count.
        dilation_ratio: d as a share of the image's diagonal; 2 % is the value of the authors and of detectron2.

    Attributes:
        counts: int64 arrays; the counts of several objects can be added.
    """

    needs_scores = False

    def __init__(self, num_classes: int, ignore_index: int = 255, dilation_ratio: float = 0.02) -> None:
        self.num_classes, self.ignore_index, self.dilation_ratio = num_classes, ignore_index, dilation_ratio
        self.counts = {name: np.zeros(num_classes, np.int64) for name in Areas._fields}
        self.counts["distance_px"] = np.zeros(2, np.int64)  # sum over the images, number of images

    def update(self, predicted: np.ndarray, target: np.ndarray, scores: torch.Tensor | None = None) -> None:
        """Count the pixels of one image.

        Args:
            predicted: train ids, integers, shape (height, width).
            target: train ids as `predicted`, and `ignore_index` for pixels that do not count.
            scores: not used.
        """
        distance_px = max(1, round(self.dilation_ratio * float(np.hypot(*target.shape))))
        ignored = target == self.ignore_index
        sides = []
        for train_ids in (target, predicted):
            train_ids = train_ids.astype(np.uint8 if self.num_classes < 256 else np.uint16)
            train_ids[ignored] = self.num_classes
            np.minimum(train_ids, self.num_classes, out=train_ids)
            sides.append((train_ids, _near_outline(train_ids, distance_px)))
        (true_ids, near_true), (predicted_ids, near_predicted) = sides
        both = near_true & near_predicted & (true_ids == predicted_ids)
        pixels = Areas(true_ids[both], true_ids[near_true], predicted_ids[near_predicted])
        for name, train_ids in pixels._asdict().items():
            self.counts[name] += np.bincount(train_ids, minlength=self.num_classes + 1)[: self.num_classes]
        self.counts["distance_px"] += distance_px, 1

    def summary(self) -> dict:
        """Return the scores in percent; `distance_px` is the mean d of the images."""
        total_px, num_images = self.counts["distance_px"]
        per_class = iou(Areas(*(self.counts[name] for name in Areas._fields)))
        return {
            "distance_px": round(float(total_px / num_images)) if num_images else None,
            "mIoU": plain(mean_of_defined(per_class)),
            "per_class": plain(per_class),
        }


class Trimap:
    """Scores of the pixels within 1, 2, 4, ... px of a true border, and of all other pixels.

    A border is between two neighbouring pixels of different classes; there is none if one of them is ignored. The
    pixels on both sides of it are within 1 px; larger distances are Euclidean and exact (OpenCV's DIST_L2 with
    DIST_MASK_PRECISE).

    Args:
        num_classes: number of train ids.
        ignore_index: value of the truth that does not count.

    Attributes:
        counts: int64 arrays; the counts of several objects can be added.
    """

    needs_scores = False

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        self.num_classes, self.ignore_index = num_classes, ignore_index
        num_bands = len(TRIMAP_WIDTHS_PX) + 1
        self.counts = {"confusion": np.zeros((num_bands, num_classes, num_classes + 1), np.int64)}
        nearest = np.arange(TRIMAP_WIDTHS_PX[-1] + 1)
        self._bands = np.searchsorted(TRIMAP_WIDTHS_PX, nearest, side="right").astype(np.uint8)

    def update(self, predicted: np.ndarray, target: np.ndarray, scores: torch.Tensor | None = None) -> None:
        """Count the pixels of one image; the arguments are those of `BoundaryIoU.update`."""
        nearest = np.minimum(_distance_to_border(target, self.ignore_index), TRIMAP_WIDTHS_PX[-1]).astype(np.uint8)
        self.counts["confusion"] += count_by_band(
            self._bands[nearest], len(self.counts["confusion"]), predicted, target, self.num_classes, self.ignore_index
        )

    def summary(self) -> dict:
        """Return, in percent and per width: the share of wrong pixels, the mIoU, the share of all labelled pixels."""
        confusion = self.counts["confusion"]
        within = areas_by_band(confusion[:-1].cumsum(0))
        beyond, total = areas_by_band(confusion[-1]), confusion.sum()
        return {
            "widths_px": list(TRIMAP_WIDTHS_PX),
            "error": plain(100 - a_acc(within)),
            "mIoU": plain(mean_of_defined(iou(within))),
            "share": plain(share(within.truth.sum(-1), total)),
            "beyond": {"error": plain(100 - a_acc(beyond)), "share": plain(share(beyond.truth.sum(), total))},
        }


def _near_outline(train_ids: np.ndarray, distance_px: int) -> np.ndarray:
    """Return which pixels have another class, or the image's edge, within `distance_px` rows and columns."""
    window = np.ones((2 * distance_px + 1, 2 * distance_px + 1), np.uint8)
    near = cv2.erode(train_ids, window) != cv2.dilate(train_ids, window)
    near[:distance_px] = near[-distance_px:] = near[:, :distance_px] = near[:, -distance_px:] = True
    return near


def _distance_to_border(target: np.ndarray, ignore_index: int) -> np.ndarray:
    """Return the distance to the nearest pixel next to a border: float32, inf if the image has no border."""
    labelled = target != ignore_index
    inside = np.ones(target.shape, np.uint8)
    left_right, above_below = (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1, :], np.s_[1:, :])
    for first, second in (left_right, above_below):
        border = (target[first] != target[second]) & labelled[first] & labelled[second]
        inside[first][border] = inside[second][border] = 0
    if inside.all():
        return np.full(target.shape, np.inf, np.float32)
    return cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
