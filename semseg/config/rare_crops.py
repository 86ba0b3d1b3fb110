"""RareClassDataset in a config: the data sets inside it crop around rare classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config, ConfigDict

from semseg.config.tree import inner_datasets, type_name, walk
from semseg.errors import InvalidConfigError

CROPS = {"RandomCrop", "RareClassCrop"}


def crop_around_rare_classes(cfg: Config) -> None:
    """Replace RandomCrop by RareClassCrop in every training set inside a RareClassDataset. Modifies `cfg`.

    Raises:
        ValueError: the pipeline of such a set has no RandomCrop.
    """
    loader = cfg.get("train_dataloader")
    for _, wrapper in rare_class_datasets(loader.dataset) if loader is not None else ():
        for dataset in inner_datasets(wrapper):
            dataset["pipeline"] = with_rare_crops(dataset)


def with_rare_crops(dataset: ConfigDict) -> list:
    """Return the pipeline of a data set, with RareClassCrop instead of RandomCrop.

    Raises:
        ValueError: there is no RandomCrop.
    """
    steps = list(dataset.get("pipeline", []))
    if not any(type_name(step) in CROPS for step in steps):
        raise InvalidConfigError(
            f"crops around rare classes: the train pipeline of {dataset.type} has no RandomCrop to replace",
            code="E-config-crop",
        )
    return [
        ConfigDict({**step, "type": "RareClassCrop"}) if type_name(step) == "RandomCrop" else step for step in steps
    ]


def rare_class_datasets(dataset: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each RareClassDataset in a data set and inside its wrappers, with its place, which begins with `key`."""
    for place, part in walk(dataset, key):
        if isinstance(part, ConfigDict) and part.get("type") == "RareClassDataset":
            yield place, part
