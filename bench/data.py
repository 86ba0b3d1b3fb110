"""Load training samples in one process and one thread: from PNG files of 2048x1024, and from a packed set."""

from __future__ import annotations

import copy
from pathlib import Path

import cv2
import torch

from bench import Contender
from bench.pictures import write_set

NUM_PAIRS = 6
NUM_SAMPLES = 24  # of each run: random crops differ in their cost
PIPELINE = [  # that of the model zoo for Cityscapes
    dict(type="RandomResize", scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=(512, 1024), cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
    dict(type="PackSegInputs"),
]


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Return the loaders; both sides draw the same crops of the same pictures.

    MMSegmentation has no packed sets: in both cases its side decodes the files.
    """
    from semseg import compat
    from semseg.config.parts_to_pack import parts_of_dataset_file
    from semseg.datasets.packed.packing import pack_split

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    compat.repair()
    write_set(folder / "set", NUM_PAIRS)
    pack_split(parts_of_dataset_file(folder / "set/dataset.yaml", "train"), "train", folder / "packed")
    ours = {"files": _loader(folder, fast=True), "packed set": _loader(folder, fast=True, packed="packed")}
    sides = {case: {"ours": contender} for case, contender in ours.items()}
    if stock:
        for side in sides.values():
            side["stock"] = _loader(folder, fast=False)
    return sides


def _loader(folder: Path, fast: bool, packed: str | None = None) -> Contender:
    dataset = training_set(folder / "set", fast, None if packed is None else folder / packed)

    def load() -> None:
        for draw in draws(NUM_SAMPLES, NUM_PAIRS):
            dataset[draw]

    return Contender(load, work=(NUM_SAMPLES, "samples"))


def training_set(root: Path, fast: bool, packed: Path | None = None):
    """Return a data set of training samples: as `tools/train.py` loads them, or (not `fast`) as MMSegmentation does."""
    from mmengine.registry import init_default_scope

    from semseg.datasets.labelled_dataset import FolderSegDataset
    from semseg.datasets.seeded import SeededDataset

    init_default_scope("mmseg")
    loaders = [dict(type="LoadPhotograph" if fast else "LoadImageFromFile"), dict(type="LoadTrainIds")]
    inner = FolderSegDataset(str(root / "dataset.yaml"), "train", pipeline=[*loaders, *copy.deepcopy(PIPELINE)])
    if not fast:  # it reads the train ids that are in these files, without checks
        inner.pipeline.transforms[1] = _stock_mask_loader()
    return SeededDataset(inner, fast, None if packed is None else str(packed))


def draws(num_samples: int, num_pairs: int) -> list:
    """Return the same draws of samples for both sides."""
    from semseg.datasets.seeded import Draw

    drawn = [Draw(number % num_pairs) for number in range(num_samples)]
    for number, draw in enumerate(drawn):
        draw.key = (0, number)
    return drawn


def _stock_mask_loader():
    from mmseg.datasets.transforms import LoadAnnotations

    return LoadAnnotations()
