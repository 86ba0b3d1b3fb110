"""Class weights by name in a config: `class_weight='auto'` is replaced by numbers before a training."""

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
from mmseg.registry import DATASETS, TRANSFORMS

from semseg.config.tree import inner_datasets, type_name, walk
from semseg.datasets import statistics
from semseg.datasets.class_counts import MaskLoader, count_train_ids
from semseg.errors import InvalidConfigError
from semseg.system.machine import num_cpus

_AUTO = "auto"
_LOADERS = ("LoadTrainIds", "LoadAnnotations")


def check_class_weights(cfg: Config, path: Path) -> None:
    """Refuse a class weight whose name is unknown.

    Args:
        cfg: with all options applied.
        path: its file, for the messages.

    Raises:
        ValueError: no such formula; a place or a loss that takes no such weights.
    """
    for place, node in _weights_in_words(cfg.model):
        where, word = f"{path}: {place}.class_weight", node["class_weight"]
        if not _is_auto(word):
            if Path(word).is_file():  # MMSegmentation reads weights from files
                continue
            raise InvalidConfigError(
                f"{where} is {word!r}, which is no file; {_expected(word)}", code="E-config-class-weights"
            )
        if _formula(word) not in statistics.FORMULAS:
            raise InvalidConfigError(f"{where} is {word!r}; {_expected(word)}", code="E-config-class-weights")
        if "loss_decode" not in place.split("."):
            raise InvalidConfigError(
                f"{where}: {word!r} works in a loss_decode only; give a list of numbers", code="E-config-class-weights"
            )
        if node.get("type") == "CrossEntropyLoss" and node.get("use_sigmoid"):
            raise InvalidConfigError(
                f"{where}: with use_sigmoid=True MMSegmentation's loss takes no weight per class;"
                " set use_sigmoid=False, or class_weight=None",
                code="E-config-class-weights",
            )


def needs_class_counts(cfg: Config) -> bool:
    """Return whether a class weight has to be computed from the training masks."""
    return any(_is_auto(node["class_weight"]) for _, node in _weights_in_words(cfg.model))


def fill_in_class_weights(cfg: Config) -> None:
    """Replace every `class_weight='auto:FORMULA'` by a list of numbers. Modifies `cfg`.

    `auto` alone is `auto:median-frequency`. The masks of the split that trains are counted; those that the check
    before a run has read are not read again.

    Raises:
        ValueError: the config doesn't train, or its masks hold no class.
    """
    places = [node for _, node in _weights_in_words(cfg.model) if _is_auto(node["class_weight"])]
    if not places:
        return
    if cfg.get("train_dataloader") is None:
        raise InvalidConfigError(
            "class_weight 'auto' is computed from the training masks, and there is no train_dataloader",
            code="E-config-key",
        )

    def tell(num_masks: int) -> None:
        if int(os.environ.get("RANK", 0)) == 0:
            print(f"class_weight 'auto': counting the pixels of {num_masks} masks", flush=True)

    counts = _count(_mask_sets(cfg, "train"), num_cpus(), on_read=tell)
    for node in places:
        weights = statistics.class_weights(counts, _formula(node["class_weight"]))
        node["class_weight"] = [float(f"{weight:.4g}") for weight in weights]


def leave_out_class_weights(cfg: Config) -> None:
    """Replace every `class_weight='auto:FORMULA'` by None, for a model that does not learn. Modifies `cfg`."""
    for _, node in _weights_in_words(cfg.model):
        if _is_auto(node["class_weight"]):
            node["class_weight"] = None


def count_config(
    cfg: Config, split: str, num_processes: int, on_progress: Callable[[int, int], None] | None = None
) -> tuple[statistics.ClassCounts, dict]:
    """Count the classes of a dataloader's set, without its augmentation; repetitions count once.

    Args:
        cfg: from `load_config`; not changed.
        split: train, val or test.
        num_processes: with 1, everything happens in this process.
        on_progress: called, for each set inside, with the number of masks read and the number of masks to read.

    Returns:
        The counts, and the `metainfo` of the set: its classes and palette.

    Raises:
        ValueError: the config has no such dataloader, or its pipeline loads no mask.
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
            f"the config has no {split}_dataloader, so nothing to count of split {split}", code="E-config-key"
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
        dataset = DATASETS.build({**copy.deepcopy(dataset_cfg), "pipeline": []})
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


def _weights_in_words(model: Any) -> Iterator[tuple[str, dict]]:
    """Yield every part of a model whose `class_weight` is a string, with its place."""
    for place, part in walk(model, "model"):
        if isinstance(part, dict) and isinstance(part.get("class_weight"), str):
            yield place, part


def _is_auto(word: Any) -> bool:
    return isinstance(word, str) and word.partition(":")[0] == _AUTO


def _formula(word: str) -> str:
    return word.partition(":")[2] if ":" in word else next(iter(statistics.FORMULAS))


def _expected(word: str) -> str:
    known, meant = list(statistics.FORMULAS), word.removeprefix(f"{_AUTO}:")
    near = [name for name in known if meant and meant in name] or difflib.get_close_matches(meant, known, 1)
    if near:
        return f"did you mean '{_AUTO}:{near[0]}'?"
    words = ", ".join([_AUTO, *(f"{_AUTO}:{name}" for name in known)])
    return f"expected {words}, or a list of numbers"
