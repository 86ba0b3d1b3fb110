"""RareClassDataset in a config: its sets crop around rare classes."""

from __future__ import annotations

from collections.abc import Iterator

from mmengine.config import Config, ConfigDict

from semseg.config.tree import inner_datasets, type_name
from semseg.errors import InvalidConfigError

CROPS = {"RandomCrop", "RareClassCrop"}


def crop_around_rare_classes(cfg: Config) -> None:
    """Turn RandomCrop into RareClassCrop (in place) in every set of the training that a RareClassDataset wraps.

    Raises:
        ValueError: such a set has no RandomCrop.
    """
    loader = cfg.get("train_dataloader")
    for wrapper in rare_class_datasets(loader.dataset) if loader is not None else ():
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


def rare_class_datasets(dataset: ConfigDict) -> Iterator[ConfigDict]:
    """Find the RareClassDatasets in a data set and what it wraps."""
    yield from (found for _, found in rare_class_datasets_with_keys(dataset, ()))


def rare_class_datasets_with_keys(dataset: ConfigDict, key: tuple) -> Iterator[tuple[tuple, ConfigDict]]:
    """As `rare_class_datasets`; each with its place, a tuple that begins with `key`, the place of `dataset`."""
    if dataset.get("type") == "RareClassDataset":
        yield key, dataset
    for number, part in enumerate(dataset.get("datasets", [])):
        yield from rare_class_datasets_with_keys(part, (*key, "datasets", number))
    inner = dataset.get("dataset")
    if isinstance(inner, dict):
        yield from rare_class_datasets_with_keys(inner, (*key, "dataset"))
    for number, part in enumerate(inner if isinstance(inner, (list, tuple)) else ()):
        yield from rare_class_datasets_with_keys(part, (*key, "dataset", number))
