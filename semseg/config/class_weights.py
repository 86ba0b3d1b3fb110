"""Replace `class_weight='auto'` in a config by class weights computed from the training masks."""

from __future__ import annotations

import copy
import difflib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import TRANSFORMS

from semseg.config.tree import inner_datasets, type_name, walk
from semseg.datasets import statistics
from semseg.datasets.built_sets import build_without_pipelines
from semseg.datasets.class_counts import MaskLoader, count_train_ids
from semseg.errors import InvalidConfigError
from semseg.system.machine import num_cpus

_AUTO = "auto"
_LOADERS = ("LoadTrainIds", "LoadAnnotations")


def check_class_weights(cfg: Config, path: Path) -> None:
    """Raise if a class weight in a config is a string that is not supported.

    Args:
        cfg: config with all options applied.
        path: path of the config, for the messages.

    Raises:
        ValueError: the formula is unknown, or the part of the model or the loss does not support class weights.
    """
    for place, node in _string_weights(cfg.model):
        where, value = f"{path}: {place}.class_weight", node["class_weight"]
        if not _is_auto(value):
            if Path(value).is_file():  # MMSegmentation reads weights from files
                continue
            raise InvalidConfigError(
                f"{where} is {value!r}, which is not a file; {_expected(value)}", code="E-config-class-weights"
            )
        if _formula(value) not in statistics.FORMULAS:
            raise InvalidConfigError(f"{where} is {value!r}; {_expected(value)}", code="E-config-class-weights")
        if "loss_decode" not in place.split("."):
            raise InvalidConfigError(
                f"{where}: {value!r} works in a loss_decode only; give a list of numbers", code="E-config-class-weights"
            )
        if node.get("type") == "CrossEntropyLoss" and node.get("use_sigmoid"):
            raise InvalidConfigError(
                f"{where}: with use_sigmoid=True the loss of MMSegmentation does not support class weights;"
                " set use_sigmoid=False, or class_weight=None",
                code="E-config-class-weights",
            )


def needs_class_counts(cfg: Config) -> bool:
    """Return whether a class weight has to be computed from the training masks."""
    return any(_is_auto(node["class_weight"]) for _, node in _string_weights(cfg.model))


def fill_in_class_weights(cfg: Config) -> None:
    """Replace every `class_weight='auto:FORMULA'` by a list of numbers. Modifies `cfg`.

    `auto` alone is `auto:median-frequency`. The masks of the training split are counted; masks that the check
    before the run has read are not read again.

    Raises:
        ValueError: the config has no `train_dataloader`, or its masks contain no class.
    """
    nodes = [node for _, node in _string_weights(cfg.model) if _is_auto(node["class_weight"])]
    if not nodes:
        return
    if cfg.get("train_dataloader") is None:
        raise InvalidConfigError(
            "class_weight 'auto' is computed from the training masks, and there is no train_dataloader",
            code="E-config-key",
        )

    def print_num_masks(num_masks: int) -> None:
        if int(os.environ.get("RANK", 0)) == 0:
            print(f"class_weight 'auto': counting the pixels of {num_masks} masks", flush=True)

    counts = _count(_mask_sets(cfg, "train"), num_cpus(), on_read=print_num_masks)
    for node in nodes:
        weights = statistics.class_weights(counts, _formula(node["class_weight"]))
        node["class_weight"] = [float(f"{weight:.4g}") for weight in weights]


def leave_out_class_weights(cfg: Config) -> None:
    """Replace every `class_weight='auto:FORMULA'` by None, for a model that is not trained. Modifies `cfg`."""
    for _, node in _string_weights(cfg.model):
        if _is_auto(node["class_weight"]):
            node["class_weight"] = None


def count_config(
    cfg: Config, split: str, num_processes: int, on_progress: Callable[[int, int], None] | None = None
) -> tuple[statistics.ClassCounts, dict]:
    """Count the classes in the data set of a dataloader, without augmentation; repeated samples count once.

    Args:
        cfg: from `load_config`; not changed.
        split: train, val or test.
        num_processes: number of processes; with 1, no process is started.
        on_progress: called, for each set inside, with the number of masks read and the number of masks to read.

    Returns:
        The counts, and the `metainfo` of the set: its classes and palette.

    Raises:
        ValueError: the config has no such dataloader, or its pipeline loads no masks.
    """
    sets = _mask_sets(cfg, split)
    return _count(sets, num_processes, on_progress), sets[0].metainfo


class _MaskSet(NamedTuple):
    loader: MaskLoader
    metainfo: dict
    infos: list[dict]


def _mask_sets(cfg: Config, split: str) -> list[_MaskSet]:
    loader = cfg.get(f"{split}_dataloader")
    if loader is None:
        raise InvalidConfigError(
            f"the config has no {split}_dataloader, so there are no masks of split {split} to count",
            code="E-config-key",
        )
    init_default_scope(cfg.get("default_scope", "mmseg"))
    sets = []
    for dataset_cfg in inner_datasets(loader.dataset):
        steps = dataset_cfg.get("pipeline", [])
        step = next((step for step in steps if type_name(step) in _LOADERS), None)
        if step is None:
            raise InvalidConfigError(
                f"{split}_dataloader: its pipeline has no {' or '.join(_LOADERS)} that loads masks",
                code="E-config-key",
            )
        (dataset,) = build_without_pipelines(dataset_cfg)
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        sets.append(_MaskSet(TRANSFORMS.build(copy.deepcopy(step)), dataset.metainfo, infos))
    return sets


def _count(
    sets: list[_MaskSet],
    num_processes: int,
    on_progress: Callable[[int, int], None] | None = None,
    on_read: Callable[[int], None] | None = None,
) -> statistics.ClassCounts:
    histograms = [count_train_ids(part.loader, part.infos, num_processes, on_progress, on_read) for part in sets]
    return statistics.add_up(np.concatenate(histograms), len(sets[0].metainfo["classes"]))


def _string_weights(model: Any) -> Iterator[tuple[str, dict]]:
    """Yield the path and the node of every part of a model whose `class_weight` is a string."""
    for place, part in walk(model, "model"):
        if isinstance(part, dict) and isinstance(part.get("class_weight"), str):
            yield place, part


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value.partition(":")[0] == _AUTO


def _formula(value: str) -> str:
    return value.partition(":")[2] if ":" in value else next(iter(statistics.FORMULAS))


def _expected(value: str) -> str:
    formulas, name = list(statistics.FORMULAS), value.removeprefix(f"{_AUTO}:")
    similar = [formula for formula in formulas if name and name in formula]
    similar = similar or difflib.get_close_matches(name, formulas, 1)
    if similar:
        return f"did you mean '{_AUTO}:{similar[0]}'?"
    choices = ", ".join([_AUTO, *(f"{_AUTO}:{formula}" for formula in formulas)])
    return f"expected {choices}, or a list of numbers"
