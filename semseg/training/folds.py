"""Grouped cross-validation: train on all folds of the training set but one, and test on that one."""

from __future__ import annotations

import copy
from pathlib import Path

from mmengine.config import Config

from semseg.config.log import warn
from semseg.config.tree import datasets_of
from semseg.datasets.folds import write_fold
from semseg.errors import InvalidConfigError
from semseg.training.options import FoldOptions

_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


def use_fold(cfg: Config, options: FoldOptions) -> Config:
    """Return the config of one fold, with `fold_K` as its work folder; its dataset.yaml is written there.

    Args:
        cfg: from `load_config`; not changed.
        options: with `folds` and `fold`; without `folds` the config is returned as it is.

    Raises:
        ValueError: `fold` without `folds`, a number is out of range, the config does not read a single dataset.yaml, or
            its pictures form fewer groups than folds.
    """
    if options.folds is None:
        for name in ("fold", "group_by", "out_of_fold"):
            if getattr(options, name) is not None:
                raise InvalidConfigError(f"`{name}` needs `folds`, the number of folds", code="E-config-no-effect")
        return cfg
    assert options.fold is not None
    cfg = copy.deepcopy(cfg)
    parts = [dataset for loader in _LOADERS if cfg.get(loader) for dataset in datasets_of(cfg, loader)]
    files = {dataset.get("dataset_file") for dataset in datasets_of(cfg, "train_dataloader")}
    source = files.pop() if len(files) == 1 else None
    if source is None or any(dataset.get("type") != "FolderSegDataset" for dataset in parts):
        raise InvalidConfigError(
            f"`folds` {options.folds} divides the training set of one dataset.yaml, which {cfg.filename} does not read;"
            " give one with `data`",
            code="E-config-unsupported",
        )
    cfg.work_dir = str(Path(cfg.work_dir, f"fold_{options.fold}"))
    path, rule = write_fold(source, options.fold, options.folds, Path(cfg.work_dir), options.group_by)
    for dataset in parts:
        dataset["dataset_file"] = str(path)
    for loader in ("val_dataloader", "test_dataloader"):
        for dataset in datasets_of(cfg, loader) if cfg.get(loader) else ():
            dataset["split"] = "val"
    warn("fold %d of %d, divided by %s: trained on the other folds, validated and tested on this one; %s",
         options.fold, options.folds, rule, path)  # fmt: skip
    return cfg
