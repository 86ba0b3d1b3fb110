"""Calibration: whether the confidence of a model equals its accuracy."""

from __future__ import annotations

import numpy as np
import torch

from semseg.errors import InvalidInputError
from semseg.evaluation.bands import plain, share

NUM_BINS = 15
_UNITS = 1_000_000  # confidences are summed in millionths as integers, so the order of the images has no effect


class Calibration:
    """Expected calibration error and reliability diagram (Guo et al. 2017, arXiv:1706.04599), over labelled pixels.

    The confidence of a pixel is the largest of its class probabilities. There are fifteen bins of equal width; each
    includes its upper end and excludes its lower end. The ECE is the mean difference between confidence and accuracy
    of the bins, weighted by their pixels; that of a class is over the pixels that were predicted as this class.

    Args:
        num_classes: number of train ids.
        ignore_index: value of the truth that does not count.

    Attributes:
        counts: int64 arrays, shape (num_classes + 1, bins), by predicted class; the last row is for pixels without
            a class. The counts of several objects can be added.
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
            target: train ids as `predicted`, and `ignore_index` for pixels that do not count.
            scores: logits, floats, shape (classes of the model, height, width), on any device. A single plane holds
                probabilities of class 1, as MMSegmentation returns for a model with one output.

        Raises:
            ValueError: the sizes differ, or some scores are not numbers.
        """
        if scores.shape[1:] != target.shape:
            sizes = ["x".join(map(str, shape)) for shape in (scores.shape[1:], target.shape)]
            raise InvalidInputError(
                f"the scores are {sizes[0]} pixels large (height x width), the truth {sizes[1]}", code="E-input-size"
            )
        if len(scores) == 1:
            confidence = scores[0].float()
            confidence = torch.maximum(confidence, 1 - confidence)
        else:
            confidence = _top_probability(scores)
        units = (confidence * _UNITS).round_().nan_to_num_(nan=-1).int().cpu().numpy()
        if units.size and units.min() < 0:
            raise InvalidInputError(
                f"{(units < 0).sum()} pixels have scores that are not numbers; calibration needs numbers",
                code="E-input-not-finite",
            )
        labelled = target != self.ignore_index
        units, predicted, target = units[labelled], predicted[labelled], target[labelled]
        bins = np.clip((units * NUM_BINS - 1) // _UNITS, 0, NUM_BINS - 1)
        cells = np.minimum(predicted.astype(np.int64), self.num_classes) * NUM_BINS + bins
        for name, weights in (("pixels", None), ("right", predicted == target), ("confidence", units)):
            # exact, as float64 holds all integers below 2**53
            counted = np.bincount(cells, weights, minlength=self.counts[name].size)
            self.counts[name] += counted.reshape(self.counts[name].shape).astype(np.int64)

    def summary(self) -> dict:
        """Return, in percent: the ECE, and confidence, accuracy (precision) and share per bin and predicted class.

        Only `low` and `high`, the ends of the bins, are in the range 0 to 1.
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
    """Return the largest softmax probability: float32, shape (height, width). Uses the memory of two planes."""
    top = scores.amax(0).float()
    total = torch.zeros_like(top)
    for plane in scores:
        total += (plane.float() - top).exp_()
    return total.reciprocal_()


def _ece(pixels: np.ndarray, right: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return sum over bins of |right - confidence| / pixels, in percent."""
    return share(np.abs(right - units / _UNITS).sum(), pixels.sum())
