"""IoU per class, as numbers that reach TensorBoard and `save_best`."""

from __future__ import annotations

import numpy as np
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS


@METRICS.register_module()
class PerClassIoUMetric(IoUMetric):
    """MMSegmentation's IoUMetric, which also returns what its table shows.

    Beside aAcc, mIoU and mAcc it returns `IoU/<class>` and `Acc/<class>` in percent; nan for a class that
    neither the truth nor the prediction holds. The arguments are those of IoUMetric.
    """

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute all metrics, in percent, from the areas that `process` gathered."""
        metrics = {name: float(value) for name, value in super().compute_metrics(results).items()}
        if self.format_only:
            return metrics
        intersect, union, _, label = (sum(areas).numpy() for areas in zip(*results, strict=True))
        with np.errstate(invalid="ignore", divide="ignore"):
            per_class = {"IoU": intersect / union * 100, "Acc": intersect / label * 100}
        for kind, values in per_class.items():
            for name, value in zip(self.dataset_meta["classes"], values, strict=True):
                metrics[f"{kind}/{name}"] = round(float(value), 2)
        return metrics
