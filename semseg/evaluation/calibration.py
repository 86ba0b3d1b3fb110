"""Whether a model is right as often as it is sure."""

from __future__ import annotations

import numpy as np
import torch

from semseg.errors import InvalidInputError
from semseg.evaluation.bands import plain, share

NUM_BINS = 15
_UNITS = 1_000_000  # confidences are summed as whole numbers of millionths: any order gives the same


class Calibration:
    """Expected calibration error and reliability diagram (Guo et al. 2017, arXiv:1706.04599), over labelled pixels.

    The confidence of a pixel is the largest of its class probabilities. Fifteen equal bins, each without its lower
    end and with its upper one. The ECE is the mean gap between confidence and accuracy of the bins, weighted by
    their pixels; that of a class is taken over the pixels that were taken for it.

    Args:
        num_classes: of the train ids.
        ignore_index: of the truth.

    Attributes:
        counts: int64 arrays, shape (num_classes + 1, bins), by predicted class, the last row for none of them;
            those of several objects add up.
    """

    needs_scores = True

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        self.num_classes, self.ignore_index = num_classes, ignore_index
        names = ("pixels", "right", "confidence")
        self.counts = {name: np.zeros((num_classes + 1, NUM_BINS), np.int64) for name in names}

    def update(self, predicted: np.ndarray, target: np.ndarray, scores: torch.Tensor) -> None:
        """Count the pixels of one image.

        Args:
            predicted: train ids, integers, shape (height, width).
            target: as `predicted`, and `ignore_index` where nothing counts.
            scores: logits, floats, shape (classes of the model, height, width), on any device; one plane alone
                holds probabilities of class 1, as MMSegmentation leaves those of a model with one output.

        Raises:
            ValueError: the sizes differ, or the scores hold something that is no number.
        """
        if scores.shape[1:] != target.shape:
            sizes = ["x".join(map(str, shape)) for shape in (scores.shape[1:], target.shape)]
            raise InvalidInputError(f"the scores are {sizes[0]} pixels large (height x width), the truth {sizes[1]}")
        if len(scores) == 1:
            confidence = scores[0].float()
            confidence = torch.maximum(confidence, 1 - confidence)
        else:
            confidence = _top_probability(scores)
        units = (confidence * _UNITS).round_().nan_to_num_(nan=-1).int().cpu().numpy()
        if units.size and units.min() < 0:
            raise InvalidInputError(
                f"{(units < 0).sum()} pixels have scores that are no numbers; calibration needs numbers"
            )
        labelled = target != self.ignore_index
        units, predicted, target = units[labelled], predicted[labelled], target[labelled]
        bins = np.clip((units * NUM_BINS - 1) // _UNITS, 0, NUM_BINS - 1)
        cells = np.minimum(predicted.astype(np.int64), self.num_classes) * NUM_BINS + bins
        for name, weights in (("pixels", None), ("right", predicted == target), ("confidence", units)):
            # floats hold these whole numbers exactly: below 2**53
            counted = np.bincount(cells, weights, minlength=self.counts[name].size)
            self.counts[name] += counted.reshape(self.counts[name].shape).astype(np.int64)

    def summary(self) -> dict:
        """Return, in percent: the ECE, and confidence, accuracy (precision) and share per bin and predicted class.

        Only the ends of the bins, `low` and `high`, are shares of 1.
        """
        overall = [self.counts[name].sum(0) for name in ("pixels", "right", "confidence")]
        pixels, right, units = overall
        accuracy, confidence = share(right, pixels), share(units / _UNITS, pixels)
        bins = [
            {
                "low": i / NUM_BINS,
                "high": (i + 1) / NUM_BINS,
                "confidence": plain(confidence[i]),
                "accuracy": plain(accuracy[i]),
                "share": plain(share(pixels[i], pixels.sum())),
            }
            for i in range(NUM_BINS)
        ]
        per_class = []
        for of_class in zip(*(self.counts[name][:-1] for name in ("pixels", "right", "confidence")), strict=True):
            class_pixels, class_right, class_units = (row.sum() for row in of_class)
            per_class.append(
                {
                    "ece": plain(_ece(*of_class)),
                    "confidence": plain(share(class_units / _UNITS, class_pixels)),
                    "precision": plain(share(class_right, class_pixels)),
                    "share": plain(share(class_pixels, pixels.sum())),
                }
            )
        return {"num_bins": NUM_BINS, "ece": plain(_ece(*overall)), "bins": bins, "per_class": per_class}


def _top_probability(scores: torch.Tensor) -> torch.Tensor:
    """Return the largest softmax probability: float32, shape (height, width). Needs two planes of memory."""
    top = scores.amax(0).float()
    total = torch.zeros_like(top)
    for plane in scores:
        total += (plane.float() - top).exp_()
    return total.reciprocal_()


def _ece(pixels: np.ndarray, right: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return sum over bins of |right - confidence| / pixels, in percent."""
    return share(np.abs(right - units / _UNITS).sum(), pixels.sum())
