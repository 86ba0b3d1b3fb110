"""Evaluate a model in a label space other than its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class ClassMapHook(Hook):
    """Translate every prediction of a test before metrics and hooks use it.

    Args:
        train_ids: train id of the data set for each class of the model; 255 for none: such a pixel counts as wrong.
    """

    def __init__(self, train_ids: Sequence[int]) -> None:
        self.train_ids = torch.tensor(train_ids)

    def before_test(self, runner: Runner) -> None:
        """Wrap the model's test step, because the metric gets the predictions before any hook is called."""
        classes = runner.test_dataloader.dataset.metainfo["classes"]
        unreached = [name for train_id, name in enumerate(classes) if train_id not in self.train_ids]
        if unreached:
            runner.logger.info(f"no class of the model becomes {', '.join(unreached)}: their IoU is 0")
        model: Any = runner.model
        predict = model.test_step

        def predict_and_translate(data: Any) -> Sequence:
            samples = predict(data)
            for sample in samples:
                predicted = sample.pred_sem_seg.data
                sample.pred_sem_seg.data = self.train_ids.to(predicted.device)[predicted.long()]
            return samples

        model.test_step = predict_and_translate
