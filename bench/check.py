"""Check a data set in one process: 6 pairs of 2048x1024; quick, deep, and with cached results."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from bench import Contender
from semseg import compat
from semseg.checks.dataset import check_dataset_file
from semseg.datasets.dataset_writing import write_text
from semseg.labels import CITYSCAPES

NUM_PAIRS = 6
NUM_OBJECTS = 80
NOISE = 4.0  # grey levels; makes the PNGs as large as those of Cityscapes, 2.3 MB

_DATASET_FILE = """\
splits:
  train: {images: images, masks: masks}
encoding: ids
classes: cityscapes
"""


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Check a data set without and with the cache of an earlier check.

    MMSegmentation has no check: its side loads every pair as in a training, where errors would occur.
    """
    root = folder / "set"
    _write_set(root)
    os.environ["SEMSEG_CACHE"] = str(folder / "cache")
    work = (NUM_PAIRS, "pairs")

    def check(deep: bool) -> None:
        check_dataset_file(root / "dataset.yaml", deep=deep)

    def clear_cache() -> None:
        shutil.rmtree(folder / "cache", ignore_errors=True)

    sides = {
        "quick": Contender(lambda: check(False), clear_cache, work),
        "deep": Contender(lambda: check(True), clear_cache, work),
        "known from before": Contender(lambda: check(True), work=work),
    }
    stock_side = {"stock": Contender(_make_stock_loader(root), work=work)} if stock else {}
    return {case: {"ours": ours, **stock_side} for case, ours in sides.items()}


def _make_stock_loader(root: Path):
    compat.repair()
    from mmseg.datasets import BaseSegDataset

    dataset = BaseSegDataset(
        data_root=str(root),
        data_prefix={"img_path": "images", "seg_map_path": "masks"},
        img_suffix=".png",
        metainfo={"classes": CITYSCAPES.classes, "palette": CITYSCAPES.palette},
        pipeline=[{"type": "LoadImageFromFile"}, {"type": "mmseg.LoadAnnotations"}],
    )

    def load() -> None:
        for index in range(len(dataset)):
            dataset[index]

    return load


def _write_set(root: Path) -> None:
    """Write noisy pictures of large and small ellipses, and their train ids."""
    rng = np.random.default_rng(0)
    colors = np.array(CITYSCAPES.palette, np.float32)
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for number in range(NUM_PAIRS):
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
