"""Photographs and masks for benchmarks: made with the statistics of Cityscapes' files, or from BENCH_PHOTOS, a folder.

A made one has large and small ellipses that cover each other, soft edges, and noise. At 2048x1024 its PNG has about
2.3 MB, as those of Cityscapes. Photographs of BENCH_PHOTOS are scaled to the wanted size; their masks are made.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from semseg.datasets.dataset_writing import write_text
from semseg.labels import CITYSCAPES

NUM_OBJECTS = 80
NOISE = 2.8  # grey levels; sets the size of the PNGs
_PHOTO_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}

_DATASET_FILE = """\
splits:
  train: {images: images, masks: masks}
encoding: ids
classes: cityscapes
"""


def write_set(root: Path, num_pairs: int, size: tuple[int, int] = (2048, 1024)) -> None:
    """Write photographs of width and height `size`, their train ids, and a dataset.yaml."""
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for number, (image, train_ids) in enumerate(_draw(num_pairs, size)):
        image.save(root / f"images/{number:02}.png")
        train_ids.save(root / f"masks/{number:02}.png")
    write_text(root / "dataset.yaml", _DATASET_FILE)


def write_cityscapes(root: Path, split: str, num_pairs: int, size: tuple[int, int]) -> Path:
    """Write photographs and train ids where Cityscapes has those of a split; return the folder of the photographs."""
    folders = [root / kind / split / "town" for kind in ("leftImg8bit", "gtFine")]
    for folder in folders:
        folder.mkdir(parents=True)
    for number, (image, train_ids) in enumerate(_draw(num_pairs, size)):
        image.save(folders[0] / f"town_{number:06}_leftImg8bit.png")
        train_ids.save(folders[1] / f"town_{number:06}_gtFine_labelTrainIds.png")
    return folders[0]


def _draw(count: int, size: tuple[int, int]) -> Iterator[tuple[Image.Image, Image.Image]]:
    width, height = size
    rng = np.random.default_rng(0)
    colors = np.array(CITYSCAPES.palette, np.float32)
    photos = itertools.cycle(_photo_paths())
    for _ in range(count):
        train_ids = np.zeros((height, width), np.uint8)
        for rank in range(NUM_OBJECTS):
            center = int(rng.integers(0, width)), int(rng.integers(0, height))
            radius = max(15.0, 700 * 0.9**rank) * height / 1024
            axes = max(1, int(radius)), max(1, int(radius / 2))
            angle, value = rng.uniform(0, 180), int(rng.integers(0, len(colors)))
            cv2.ellipse(train_ids, center, axes, angle, 0, 360, value, cv2.FILLED)
        photo_path = next(photos, None)
        if photo_path is None:
            image = cv2.GaussianBlur(colors[train_ids], (0, 0), 3)
            image += rng.normal(0, NOISE, (height, width, 1)).astype(np.float32)
            photo = Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))
        else:
            photo = Image.open(photo_path).convert("RGB").resize(size)
        yield photo, Image.fromarray(train_ids)


def _photo_paths() -> list[Path]:
    folder = os.environ.get("BENCH_PHOTOS")
    if folder is None:
        return []
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in _PHOTO_SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"BENCH_PHOTOS is {folder}; expected a folder of photographs (PNG, JPEG, TIFF, BMP)")
    return paths
