"""RareClassDataset in a config: its sets crop around rare classes."""

from __future__ import annotations

from collections.abc import Iterator

from mmengine.config import Config, ConfigDict

from semseg.config.tree import inner_datasets, type_name, walk
from semseg.errors import InvalidConfigError

CROPS = {"RandomCrop", "RareClassCrop"}


def crop_around_rare_classes(cfg: Config) -> None:
    """Turn RandomCrop into RareClassCrop (in place) in every set of the training that a RareClassDataset wraps.

    Raises:
        ValueError: such a set has no RandomCrop.
    """
    loader = cfg.get("train_dataloader")
    for _, wrapper in rare_class_datasets(loader.dataset) if loader is not None else ():
        for dataset in inner_datasets(wrapper):
            dataset["pipeline"] = with_rare_crops(dataset)


def with_rare_crops(dataset: ConfigDict) -> list:
    """Return the steps of a set's pipeline, with RareClassCrop in the place of RandomCrop.

    Raises:
        ValueError: there is no RandomCrop.
    """
    steps = list(dataset.get("pipeline", []))
    if not any(type_name(step) in CROPS for step in steps):
        raise InvalidConfigError(
            f"crops around rare classes: the train pipeline of {dataset.type} has no RandomCrop to replace"
        )
    return [
        ConfigDict({**step, "type": "RareClassCrop"}) if type_name(step) == "RandomCrop" else step for step in steps
    ]


def rare_class_datasets(dataset: ConfigDict, key: str = "") -> Iterator[tuple[str, ConfigDict]]:
    """Yield the RareClassDatasets in a data set and what it wraps, each with its place, which begins with `key`."""
    for place, part in walk(dataset, key):
        if isinstance(part, dict) and part.get("type") == "RareClassDataset":
            yield place, part
