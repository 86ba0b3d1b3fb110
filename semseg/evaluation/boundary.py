"""How exact the outlines are: boundary IoU, and scores by the distance to the nearest true border."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from semseg.evaluation.bands import areas_by_band, count_by_band, plain, share
from semseg.evaluation.confusion import Areas
from semseg.evaluation.scores import a_acc, iou, mean_of_defined

TRIMAP_WIDTHS_PX = (1, 2, 4, 8, 16, 32)


class BoundaryIoU:
    """Boundary IoU (Cheng et al. 2021, arXiv:2103.16562), of semantic classes.

    Of each class only the pixels count that are closer to its outline than a distance d: in the truth to the true
    outline, in the prediction to the predicted one. The edge of the image is an outline, and so is an ignored
    area, in both; closeness is that of the authors' code, |dx| and |dy| at most d. A class that is predicted but
    nowhere true has IoU 0.

    Args:
        num_classes: of the train ids.
        ignore_index: of the truth.
        dilation_ratio: d as a share of the image's diagonal; the authors take 2 %, detectron2 too.

    Attributes:
        counts: int64 arrays; those of several objects add up.
    """

    needs_scores = False

    def __init__(self, num_classes: int, ignore_index: int = 255, dilation_ratio: float = 0.02) -> None:
        self.num_classes, self.ignore_index, self.dilation_ratio = num_classes, ignore_index, dilation_ratio
        self.counts = {name: np.zeros(num_classes, np.int64) for name in Areas._fields}
        self.counts["distance_px"] = np.zeros(2, np.int64)  # sum over the images, and how many they are

    def update(self, predicted: np.ndarray, target: np.ndarray, scores: torch.Tensor | None = None) -> None:
        """Count the pixels of one image.

        Args:
            predicted: train ids, integers, shape (height, width).
            target: as `predicted`, and `ignore_index` where nothing counts.
            scores: not needed.
        """
        distance_px = max(1, round(self.dilation_ratio * float(np.hypot(*target.shape))))
        ignored = target == self.ignore_index
        sides = []
        for train_ids in (target, predicted):
            train_ids = train_ids.astype(np.uint8 if self.num_classes < 256 else np.uint16)
            train_ids[ignored] = self.num_classes
            np.minimum(train_ids, self.num_classes, out=train_ids)
            sides.append((train_ids, _near_outline(train_ids, distance_px)))
        (truth, near_truth), (found, near_found) = sides
        both = near_truth & near_found & (truth == found)
        for name, pixels in zip(Areas._fields, (truth[both], truth[near_truth], found[near_found]), strict=True):
            self.counts[name] += np.bincount(pixels, minlength=self.num_classes + 1)[: self.num_classes]
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
    """Scores of the pixels within 1, 2, 4, ... px of a true border, and of the rest.

    A border runs between two pixels side by side of different classes; where one is ignored there is none. The
    pixels on both sides of it are within 1 px; from them on distances are Euclidean and exact (OpenCV's
    DIST_L2 with DIST_MASK_PRECISE).

    Args:
        num_classes: of the train ids.
        ignore_index: of the truth.

    Attributes:
        counts: int64 arrays; those of several objects add up.
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
        """Return, in percent: what is wrong, the mIoU, and the share of the labelled pixels, per width."""
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
    """Return where another class, or the outside of the image, is at most so many rows and columns away."""
    window = np.ones((2 * distance_px + 1, 2 * distance_px + 1), np.uint8)
    near = cv2.erode(train_ids, window) != cv2.dilate(train_ids, window)
    near[:distance_px] = near[-distance_px:] = near[:, :distance_px] = near[:, -distance_px:] = True
    return near


def _distance_to_border(target: np.ndarray, ignore_index: int) -> np.ndarray:
    """Return the distance to the nearest pixel beside a border: float32, inf where an image has none."""
    labelled = target != ignore_index
    inside = np.ones(target.shape, np.uint8)
    for one, other in (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1], np.s_[1:]),
    ):
        border = (target[one] != target[other]) & labelled[one] & labelled[other]
        inside[one][border] = inside[other][border] = 0
    if inside.all():
        return np.full(target.shape, np.inf, np.float32)
    return cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
