"""Write BENCH_CONFIG and data for it, for the programs of both sides: `python -m bench.configs FOLDER NUM_ITERS`.

The stock side gets the same model, data and schedule from parts of MMSegmentation only.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

from bench import CONFIG, picture_size

STOCK_TYPES = {
    "Bf16OptimWrapper": "OptimWrapper",
    "ConfusionMetric": "IoUMetric",
    "LoadPhotograph": "LoadImageFromFile",
    "LoadTrainIds": "LoadAnnotations",
    "SegLogProcessor": "LogProcessor",
}
"""Names of our parts, and of the parts of MMSegmentation that do the same."""
NUM_PAIRS = 8


def as_stock(cfg: Any) -> Any:
    """Return a config with parts of MMSegmentation in place of ours, and without our hooks."""
    from mmengine.config import Config

    from semseg.config.tree import edited

    def edit(part: Any) -> dict:
        part = {**part, "type": STOCK_TYPES.get(part["type"], part["type"])}
        if part["type"] == "OptimWrapper":
            part.pop("enabled", None)
        return part

    values = edited(cfg.to_dict(), edit)
    values.pop("custom_imports", None)
    return Config({**values, "custom_hooks": []})


def use_data(cfg: Any, root: Path) -> Any:
    """Return a config that reads Cityscapes' layout below `root`, and starts from random weights."""
    from semseg.config.from_checkpoint import leave_out_pretrained
    from semseg.config.tree import LOADERS, datasets_of

    cfg = copy.deepcopy(cfg)
    leave_out_pretrained(cfg.model)
    for dataset in datasets_of(cfg, *LOADERS):
        dataset.data_root = str(root)
    return cfg


def write_configs(folder: Path, num_iters: int) -> dict[str, str]:
    """Write data and a config of a short training for each side; return the paths of the configs."""
    from mmengine.config import Config

    from bench.pictures import write_cityscapes

    for split in ("train", "val"):
        write_cityscapes(folder / "data", split, NUM_PAIRS, picture_size("512x256"))
    cfg = use_data(Config.fromfile(CONFIG, import_custom_modules=False), folder / "data")
    cfg.train_cfg.update(max_iters=num_iters, val_interval=num_iters)
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.interval = num_iters
    paths = {}
    for side, written in {"ours": cfg, "stock": as_stock(cfg)}.items():
        (folder / side).mkdir()
        path = folder / side / f"{CONFIG.stem}.py"
        written.dump(path)
        paths[side] = str(path)
    return paths


if __name__ == "__main__":
    print(json.dumps(write_configs(Path(sys.argv[1]), int(sys.argv[2]))))
