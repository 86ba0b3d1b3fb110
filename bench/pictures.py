"""A labelled set of the size of Cityscapes' files, for benchmarks that have no pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from semseg.datasets.dataset_writing import write_text
from semseg.labels import CITYSCAPES

NUM_OBJECTS = 80
NOISE = 4.0  # grey levels; makes the PNGs as large as those of Cityscapes, 2.3 MB

_DATASET_FILE = """\
splits:
  train: {images: images, masks: masks}
encoding: ids
classes: cityscapes
"""


def write_set(root: Path, num_pairs: int) -> None:
    """Write noisy pictures of large and small ellipses, 2048x1024, their train ids, and a dataset.yaml."""
    rng = np.random.default_rng(0)
    colors = np.array(CITYSCAPES.palette, np.float32)
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for number in range(num_pairs):
        train_ids = np.zeros((1024, 2048), np.uint8)
        for rank in range(NUM_OBJECTS):
            x, y = rng.integers(0, 2048), rng.integers(0, 1024)
            radius = int(max(15, 700 * 0.9**rank))
            angle, value = rng.uniform(0, 180), int(rng.integers(0, len(colors)))
            center, axes = (int(x), int(y)), (radius, max(8, radius // 2))
            cv2.ellipse(train_ids, center, axes, angle, 0, 360, value, cv2.FILLED)
        image = cv2.GaussianBlur(colors[train_ids], (0, 0), 3)
        image += rng.normal(0, NOISE, (1024, 2048, 1)).astype(np.float32)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(root / f"images/{number:02}.png")
        Image.fromarray(train_ids).save(root / f"masks/{number:02}.png")
    write_text(root / "dataset.yaml", _DATASET_FILE)
