"""Walk the data sets of a config, or of a run: what wrappers such as ConcatDataset and RepeatDataset hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def inner_datasets(dataset: Any) -> list[Any]:
    """Return the configs of the data sets inside wrappers, in their order; a list of data sets counts as one."""
    return [inner for _, inner in inner_datasets_with_keys(dataset, "")]


def inner_datasets_with_keys(dataset: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield each data set inside wrappers with its place in the config, such as `train_dataloader.dataset.dataset`.

    Args:
        dataset: config of a data set or wrapper, or a list of them.
        key: its place.
    """
    if isinstance(dataset, (list, tuple)):
        for number, part in enumerate(dataset):
            yield from inner_datasets_with_keys(part, f"{key}.{number}")
    elif "datasets" in dataset:
        yield from inner_datasets_with_keys(dataset["datasets"], f"{key}.datasets")
    elif "dataset" in dataset:
        yield from inner_datasets_with_keys(dataset["dataset"], f"{key}.dataset")
    else:
        yield key, dataset


def built_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the data sets inside wrappers as MMEngine has built them."""
    if hasattr(dataset, "datasets"):
        for part in dataset.datasets:
            yield from built_datasets(part)
    elif hasattr(dataset, "dataset"):
        yield from built_datasets(dataset.dataset)
    else:
        yield dataset
