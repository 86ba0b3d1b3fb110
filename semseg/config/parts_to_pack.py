"""The data sets of a split as a training reads them, with the loaders of photographs and masks alone."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from semseg.config.classes import adapt_pipeline
from semseg.config.tree import inner_datasets
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.labelled_dataset import FolderSegDataset
from semseg.datasets.transforms import LoadPhotograph, LoadTrainIds
from semseg.errors import InvalidConfigError, InvalidDataError

_LOADERS = [{"type": LoadPhotograph.__name__}, {"type": LoadTrainIds.__name__}]


def parts_of_config(cfg: Config, split: str) -> list[Any]:
    """Build the sets of a dataloader of a config, without their wrappers.

    Raises:
        ValueError: the config has no such dataloader.
    """
    loader = cfg.get(f"{split}_dataloader")
    if loader is None:
        raise InvalidConfigError(f"the config has no {split}_dataloader", code="E-config-key")
    init_default_scope(cfg.get("default_scope", "mmseg"))
    parts = copy.deepcopy(inner_datasets(loader.dataset))
    return [DATASETS.build({**part, "pipeline": list(part.get("pipeline", []))[:2]}) for part in parts]


def parts_of_dataset_file(path: Path, split: str) -> list[Any]:
    """Build the set of a dataset.yaml.

    Raises:
        FileNotFoundError, ValueError: as in `read_dataset_file`; or it has no such split.
    """
    rules = read_dataset_file(path)
    if rules.bands is not None:
        raise InvalidDataError(
            f"{path} has `bands`, and a packed set has photographs of 8 bits; train on the files themselves",
            code="E-data-bands",
        )
    if split not in rules.splits:
        raise InvalidDataError(f"{path} has no split {split}; it has {', '.join(rules.splits)}", code="E-data-split")
    init_default_scope("mmseg")
    return [FolderSegDataset(str(path), split, pipeline=adapt_pipeline(_LOADERS, rules))]
