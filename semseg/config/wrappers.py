"""Wrappers of data sets that stay when `data` replaces the sets inside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from semseg.config.classes import adapt_pipeline
from semseg.config.tree import type_name, walk
from semseg.datasets.bands import Bands
from semseg.datasets.dataset_file import DatasetFile
from semseg.errors import InvalidConfigError


def kept_wrappers(dataset: Any, place: str) -> list[Mapping]:
    """Return the wrappers that stay around other data sets, from the outside in: those that change the samples.

    Raises:
        ValueError: a wrapper with a pipeline contains only some of the sets.
    """
    kept = []
    while "dataset" in dataset:
        if type_name(dataset) == "RareClassDataset" or "pipeline" in dataset:
            kept.append(dataset)
        dataset = dataset["dataset"]
    for key, part in walk(dataset, place):
        if isinstance(part, dict) and "pipeline" in part and "dataset" in part:
            raise InvalidConfigError(
                f"`data` replaces all sets of {place}, and {key} ({type_name(part)}) has a pipeline for some of them:"
                " make it the wrapper of all, or remove it",
                code="E-config-unsupported",
            )
    return kept


def wrap(dataset: Any, wrappers: Sequence[Mapping], rules: DatasetFile, bands: Bands | None = None) -> Any:
    """Return data sets inside wrappers.

    Args:
        dataset: config of the sets.
        wrappers: from the outside in.
        rules, bands: for their pipelines, see `adapt_pipeline`.
    """
    if not wrappers:
        return dataset
    outer, *others = wrappers
    steps = {"pipeline": adapt_pipeline(outer["pipeline"], rules, bands)} if "pipeline" in outer else {}
    return {**outer, **steps, "dataset": wrap(dataset, others, rules, bands)}
