"""Update the metric with images of 2048x1024 and 19 classes, in one thread: `process` of both metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bench import Contender
from semseg.labels import CITYSCAPES

HEIGHT, WIDTH = 1024, 2048
NUM_IMAGES = 4


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Count images of blocks with a tenth of wrong pixels, and images of noise, the worst case for the CPU cache."""
    from mmseg.evaluation import IoUMetric

    import semseg.plugins  # noqa: F401  registers
    from semseg.evaluation.metric import ConfusionMetric

    torch.set_num_threads(1)

    def contenders(samples: list[dict]) -> dict[str, Contender]:
        metrics = {"ours": ConfusionMetric(), **({"stock": IoUMetric()} if stock else {})}
        for metric in metrics.values():
            metric.dataset_meta = {"classes": CITYSCAPES.classes, "palette": CITYSCAPES.palette}

        def run(metric) -> None:
            metric.process({}, samples)

        def clear(metric) -> None:
            metric.results.clear()

        return {
            side: Contender(
                lambda metric=metric: run(metric), lambda metric=metric: clear(metric), (NUM_IMAGES, "images")
            )
            for side, metric in metrics.items()
        }

    random = np.random.default_rng(0)
    return {"streets": contenders(_samples(random, 32)), "noise": contenders(_samples(random, 1))}


def _samples(random: np.random.Generator, block_px: int) -> list[dict]:
    """Return samples as a model passes them to a metric: predictions int64, targets uint8 with ignored pixels."""
    samples = []
    for number in range(NUM_IMAGES):
        blocks = random.choice([*range(len(CITYSCAPES.classes)), 255], (HEIGHT // block_px, WIDTH // block_px))
        target = np.kron(blocks, np.ones((block_px, block_px), int)).astype(np.uint8)
        wrong = random.integers(0, len(CITYSCAPES.classes), target.shape)
        predicted = np.where((random.random(target.shape) < 0.1) | (target == 255), wrong, target)
        fields = {"gt_sem_seg": torch.from_numpy(target), "pred_sem_seg": torch.from_numpy(predicted)}
        samples.append({name: {"data": ids[None]} for name, ids in fields.items()} | {"img_path": f"{number}.png"})
    return samples
