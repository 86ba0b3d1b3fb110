"""Load the first batch after resuming at iteration 40,000: 2975 images of 2048x1024, batch size 2, 2 workers."""

from __future__ import annotations

from pathlib import Path

from bench import Contender
from bench.pictures import write_set
from semseg import compat
from semseg.labels import CITYSCAPES

NUM_IMAGES, NUM_FILES = 2975, 5  # the files are repeated to reach the number of images
DONE_ITERS, BATCH = 40_000, 2


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Build a loader, skip to the iteration, and load its batch; the stock side is the installed MMEngine."""
    compat.repair()
    import semseg.plugins  # noqa: F401

    write_set(folder / "set", NUM_FILES)
    sides = {"ours": Contender(lambda: _first_batch(folder / "set", seeded=True))}
    if stock:
        sides["stock"] = Contender(lambda: _first_batch(folder / "set", seeded=False))
    return {"first batch at iteration 40,000": sides}


def _first_batch(root: Path, seeded: bool) -> None:
    from mmengine.registry import init_default_scope
    from mmengine.runner import Runner
    from mmengine.runner.loops import _InfiniteDataloaderIterator

    init_default_scope("mmseg")
    images = dict(
        type="BaseSegDataset",
        data_root=str(root),
        data_prefix=dict(img_path="images", seg_map_path="masks"),
        img_suffix=".png",
        metainfo=dict(classes=CITYSCAPES.classes),
        pipeline=[
            dict(type="LoadImageFromFile"),
            dict(type="LoadAnnotations"),
            dict(type="RandomCrop", crop_size=(512, 1024)),
            dict(type="PackSegInputs"),
        ],
    )
    dataset = dict(type="RepeatDataset", dataset=images, times=NUM_IMAGES // NUM_FILES)
    loader = Runner.build_dataloader(
        dict(
            dataset=dict(type="SeededDataset", dataset=dataset) if seeded else dataset,
            sampler=dict(type="SeededSampler" if seeded else "InfiniteSampler", shuffle=True),
            batch_size=BATCH,
            num_workers=2,
        ),
        seed=0,
    )
    batches = _InfiniteDataloaderIterator(loader)
    batches.skip_iter(DONE_ITERS)
    next(batches)
