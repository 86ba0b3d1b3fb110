"""A loss on the validation set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub
from mmseg.registry import METRICS

from semseg.config.metrics import evaluators_of
from semseg.config.patch import Patch
from semseg.errors import InvalidConfigError
from semseg.training.options import ValLossOptions

_ROWS = 128  # of an image at a time, so that the loss needs much less memory than the scores


def configure(cfg: Config, options: ValLossOptions) -> Patch:
    """Also compute the cross entropy of the predictions at every validation.

    Raises:
        ValueError: the config has no validation.
    """
    if not options.val_loss:
        return Patch()
    if cfg.get("val_evaluator") is None:
        raise InvalidConfigError(
            "`val_loss` needs a validation: the config has no val_evaluator", code="E-config-no-validation"
        )
    evaluators = evaluators_of(cfg)
    if any(evaluator.get("type") == "CrossEntropyMetric" for evaluator in evaluators):
        return Patch()
    return Patch({("val_evaluator",): [*evaluators, dict(type="CrossEntropyMetric")]})


@METRICS.register_module()
class CrossEntropyMetric(BaseMetric):
    """Return `val/loss`: the plain cross entropy of the predictions at full size.

    It is the mean over all labelled pixels of the set, computed from the same scores as the IoU. It is not the loss of
    the training: no class weights, no auxiliary head, no sampling of hard pixels, no augmentation.

    Args:
        ignore_index: train id of the pixels that don't count.
        **kwargs: as of BaseMetric.
    """

    default_prefix = "val"

    def __init__(self, ignore_index: int = 255, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_index = ignore_index

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Sum up each image of a batch."""
        if not self.results:  # else MMEngine shows a mean over validations, and the old value during the next one
            MessageHub.get_current_instance().log_scalars.pop(f"val/{self.prefix}/loss", None)
        for sample in data_samples:
            scores = sample["seg_logits"]["data"]  # class, height, width
            if len(scores) == 1:  # a model with one output returns a probability
                scores = torch.cat([1 - scores, scores]).clamp_min(1e-7).log()
            target = sample["gt_sem_seg"]["data"].squeeze(0).long().to(scores.device)
            rows = zip(scores.split(_ROWS, dim=1), target.split(_ROWS), strict=True)
            losses = [
                F.cross_entropy(s.float()[None], t[None], ignore_index=self.ignore_index, reduction="sum")
                for s, t in rows
            ]
            count = int((target != self.ignore_index).sum())
            self.results.append((math.fsum(torch.stack(losses).tolist()), count))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Divide the sum of all images by their labelled pixels."""
        total, count = (math.fsum(column) for column in zip(*results, strict=True))
        return {"loss": total / count if count else math.nan}
