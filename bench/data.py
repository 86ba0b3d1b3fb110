"""Load training samples in one process and one thread: from PNG files of 2048x1024, and from a packed set.

With BENCH_STORAGE=s3://bucket/folder, also from a copy of the packed set that is written there, with an empty cache on
the disk before each sample, and with a full one.
"""

from __future__ import annotations

import copy
import os
import shutil
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
    ours = {"files": _loader(folder, fast=True), "packed set": _loader(folder, fast=True, packed=folder / "packed")}
    if address := os.environ.get("BENCH_STORAGE"):
        ours |= _stored_loaders(folder, address)
    sides = {case: {"ours": contender} for case, contender in ours.items()}
    if stock:
        for side in sides.values():
            side["stock"] = _loader(folder, fast=False)
    return sides


def _loader(folder: Path, fast: bool, packed: Path | str | None = None, cache_dir: Path | None = None) -> Contender:
    """Return a loader; it empties a cache before each sample if it gets one."""
    dataset = training_set(folder / "set", fast, packed)

    def load() -> None:
        for draw in draws(NUM_SAMPLES, NUM_PAIRS):
            if cache_dir is None:
                dataset[draw]
            else:
                shutil.rmtree(cache_dir, ignore_errors=True)
                copy.deepcopy(dataset)[draw]  # without the tiles that are in memory

    return Contender(load, work=(NUM_SAMPLES, "samples"))


def _stored_loaders(folder: Path, address: str) -> dict[str, Contender]:
    from semseg.system.objects.addresses import parse_address
    from semseg.system.objects.object_store import upload

    for name in ("train.tiles", "train.npz", "pack.json"):
        upload(folder / "packed" / name, parse_address(address) / name)
    loaders = {}
    for case, emptied in (("empty", folder / "empty"), ("full", None)):
        os.environ["SEMSEG_CACHE"] = str(folder / case)
        loaders[f"packed set in a storage, {case} cache"] = _loader(folder, True, address, emptied)
    return loaders


def training_set(root: Path, fast: bool, packed: Path | str | None = None):
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
