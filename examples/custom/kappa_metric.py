"""A metric of your own: Cohen's kappa, the agreement of prediction and truth beyond chance."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS


def cohens_kappa(confusion: np.ndarray) -> float:
    """Return Cohen's kappa of a confusion matrix; nan if there is only one class, in truth and prediction.

    Source: Cohen, A coefficient of agreement for nominal scales, 1960.

    Args:
        confusion: number of pixels, integers, shape (num_classes, num_classes): truth, prediction.
    """
    total = confusion.sum()
    if total == 0:
        return float("nan")
    agreement = np.trace(confusion) / total
    by_chance = (confusion.sum(axis=0) / total) @ (confusion.sum(axis=1) / total)
    return float((agreement - by_chance) / (1 - by_chance)) if by_chance < 1 else float("nan")


@METRICS.register_module()
class KappaMetric(BaseMetric):
    """Cohen's kappa in percent, under the name `kappa`.

    A metric collects something small of each image in `process`, here a confusion matrix; MMEngine gathers the lists
    of all processes, and calls `compute_metrics` with them once.

    Args:
        ignore_index: value of the truth that does not count.
        collect_device: device on which MMEngine gathers the results of several processes.
        prefix: written before the name, with a slash.
    """

    def __init__(self, ignore_index: int = 255, collect_device: str = "cpu", prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignore_index = ignore_index

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count the pixels of each image of a batch."""
        num_classes = len(self.dataset_meta["classes"])
        for sample in data_samples:
            target = sample["gt_sem_seg"]["data"].squeeze(0).cpu().numpy()
            predicted = sample["pred_sem_seg"]["data"].squeeze(0).cpu().numpy()
            counts = target != self.ignore_index
            cells = num_classes * target[counts].astype(np.int64) + predicted[counts]
            self.results.append(np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes))

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Return kappa over all pixels of all images."""
        return {"kappa": round(100 * cohens_kappa(np.sum(results, axis=0)), 2)}
