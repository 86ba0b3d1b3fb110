"""Check a data set in one process: 6 pairs of 2048x1024; quick, deep, and with cached results."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bench import Contender
from bench.pictures import write_set
from semseg import compat
from semseg.checks.dataset import check_dataset_file
from semseg.labels import CITYSCAPES

NUM_PAIRS = 6


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Check a data set without and with the cache of an earlier check.

    MMSegmentation has no check: its side loads every pair as in a training, where errors would occur.
    """
    root = folder / "set"
    write_set(root, NUM_PAIRS)
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
