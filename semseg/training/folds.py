"""Grouped cross-validation: train on all folds of the training set but one, and test on that one."""

from __future__ import annotations

import copy
from pathlib import Path

from mmengine.config import Config

from semseg.config.log import warn
from semseg.config.tree import datasets_of
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.folds import divide_into_folds, write_fold
from semseg.errors import InvalidConfigError
from semseg.training.options import FoldOptions

_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


def check_folds(cfg: Config, options: FoldOptions) -> None:
    """Check that the training set can be divided; nothing is written.

    Raises:
        ValueError: as in `use_fold`.
    """
    assert options.folds is not None
    divide_into_folds(read_dataset_file(_dataset_file(cfg, options)), options.folds, group_by=options.group_by)


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
    source = _dataset_file(cfg, options)
    cfg.work_dir = str(Path(cfg.work_dir, f"fold_{options.fold}"))
    path, rule = write_fold(source, options.fold, options.folds, Path(cfg.work_dir), options.group_by)
    for dataset in _parts(cfg):
        dataset["dataset_file"] = str(path)
    for loader in ("val_dataloader", "test_dataloader"):
        for dataset in datasets_of(cfg, loader) if cfg.get(loader) else ():
            dataset["split"] = "val"
    place = f"fold {options.fold} of {options.folds}, divided by {rule}"
    warn("%s: trained on the other folds, validated and tested on this one; %s", place, path)
    return cfg


def _dataset_file(cfg: Config, options: FoldOptions) -> str:
    """Return the dataset.yaml whose training set is divided."""
    files = {dataset.get("dataset_file") for dataset in datasets_of(cfg, "train_dataloader")}
    if len(files) != 1 or any(dataset.get("type") != "FolderSegDataset" for dataset in _parts(cfg)):
        raise InvalidConfigError(
            f"`folds` {options.folds} divides the training set of one dataset.yaml, which {cfg.filename} does not read;"
            " give one with `data`",
            code="E-config-unsupported",
        )
    return files.pop()


def _parts(cfg: Config) -> list:
    return [dataset for loader in _LOADERS if cfg.get(loader) for dataset in datasets_of(cfg, loader)]
