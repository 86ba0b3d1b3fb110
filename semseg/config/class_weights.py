"""Class weights that a config asks for by name: `class_weight='auto'` becomes numbers before a training."""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, TRANSFORMS

from semseg.config.tree import inner_datasets
from semseg.datasets import statistics
from semseg.errors import InvalidConfigError
from semseg.system.atomic import atomic_path
from semseg.system.machine import num_cpus

_AUTO = "auto"
_LOADERS = ("LoadTrainIds", "LoadAnnotations")
_FEW_MASKS = 32  # counted before a second process has started


def check_class_weights(cfg: Config, path: Path) -> None:
    """Refuse a class weight in words that nobody understands.

    Args:
        cfg: with all options applied.
        path: its file, for the messages.

    Raises:
        ValueError: no such formula; a place or a loss that takes no such weights.
    """
    for place, node in _weights_in_words(cfg.model, "model"):
        where, word = f"{path}: {place}.class_weight", node["class_weight"]
        if not _is_auto(word):
            if Path(word).is_file():  # MMSegmentation reads weights from files
                continue
            raise InvalidConfigError(f"{where} is {word!r}, which is no file; {_expected(word)}")
        if _formula(word) not in statistics.FORMULAS:
            raise InvalidConfigError(f"{where} is {word!r}; {_expected(word)}")
        if "loss_decode" not in place.split("."):
            raise InvalidConfigError(f"{where}: {word!r} works in a loss_decode only; give a list of numbers")
        if node.get("type") == "CrossEntropyLoss" and node.get("use_sigmoid"):
            raise InvalidConfigError(
                f"{where}: with use_sigmoid=True MMSegmentation's loss takes no weight per class;"
                " set use_sigmoid=False, or class_weight=None"
            )


def fill_in_class_weights(cfg: Config) -> None:
    """Turn every `class_weight='auto:FORMULA'` into a list of numbers (in place).

    `auto` alone is `auto:median-frequency`. The masks of the split that trains are counted, once for a work
    folder as long as they stay the same: the counts go to `<work_dir>/class_counts.json`.

    Raises:
        ValueError: the config doesn't train, or its masks hold no class.
    """
    places = [node for _, node in _weights_in_words(cfg.model, "model") if _is_auto(node["class_weight"])]
    if not places:
        return
    if cfg.get("train_dataloader") is None:
        raise InvalidConfigError(
            "class_weight 'auto' is computed from the training masks, and there is no train_dataloader"
        )
    counts = _remembered_counts(cfg, Path(cfg.work_dir, "class_counts.json"))
    for node in places:
        weights = statistics.class_weights(counts, _formula(node["class_weight"]))
        node["class_weight"] = [float(f"{weight:.4g}") for weight in weights]


def leave_out_class_weights(cfg: Config) -> None:
    """Turn every `class_weight='auto:FORMULA'` into None (in place), for a model that doesn't learn."""
    for _, node in _weights_in_words(cfg.model, "model"):
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
        on_progress: called with the number of masks done and of all.

    Returns:
        The counts, and the `metainfo` of the set: its classes and palette.

    Raises:
        ValueError: the config has no such dataloader, or its pipeline loads no mask.
    """
    sets = _mask_sets(cfg, split)
    return _count(sets, num_processes, on_progress), sets[0].metainfo


class _MaskSet(NamedTuple):
    read: Callable[[dict], np.ndarray]  # turns what a set knows of a sample into train ids
    metainfo: dict
    infos: list[dict]


def _mask_sets(cfg: Config, split: str) -> list[_MaskSet]:
    loader = cfg.get(f"{split}_dataloader")
    if loader is None:
        raise InvalidConfigError(f"the config has no {split}_dataloader, so nothing to count of split {split}")
    init_default_scope(cfg.get("default_scope", "mmseg"))
    sets = []
    for dataset_cfg in inner_datasets(loader.dataset):
        steps = dataset_cfg.get("pipeline", [])
        step = next((step for step in steps if str(step.get("type")).rpartition(".")[2] in _LOADERS), None)
        if step is None:
            raise InvalidConfigError(
                f"{split}_dataloader: its pipeline has no {' or '.join(_LOADERS)} that loads masks"
            )
        dataset = DATASETS.build({**copy.deepcopy(dataset_cfg), "pipeline": []})
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        sets.append(_MaskSet(partial(_read, TRANSFORMS.build(copy.deepcopy(step))), dataset.metainfo, infos))
    return sets


def _read(transform: Callable[[dict], dict], info: dict) -> np.ndarray:
    return transform(info)["gt_seg_map"]


def _count(
    sets: list[_MaskSet], num_processes: int, on_progress: Callable[[int, int], None] | None = None
) -> statistics.ClassCounts:
    total, histograms = sum(len(part.infos) for part in sets), []
    for part in sets:
        before = len(histograms)
        show = None if on_progress is None else lambda done, _, before=before: on_progress(before + done, total)
        histograms += statistics.count_masks(part.read, part.infos, num_processes, show)
    return statistics.add_up(histograms, len(sets[0].metainfo["classes"]))


def _remembered_counts(cfg: Config, path: Path) -> statistics.ClassCounts:
    """Return the counts of the training set, from the file if the masks are those that it was written for."""
    sets = _mask_sets(cfg, "train")
    key = _fingerprint(sets)
    if path.is_file():
        found = json.loads(path.read_text())
        if found.pop("fingerprint", None) == key:
            arrays = {name: np.array(v) if isinstance(v, list) else v for name, v in found.items()}
            return statistics.ClassCounts(**arrays)
    num_masks = sum(len(part.infos) for part in sets)
    if int(os.environ.get("RANK", 0)) == 0:
        print(f"class_weight 'auto': counting the pixels of {num_masks} masks", flush=True)
    num_processes = max(1, num_cpus() // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))  # every rank counts
    counts = _count(sets, num_processes if num_masks > _FEW_MASKS else 1)
    stored = {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in vars(counts).items()}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"fingerprint": key, **stored}) + "\n")
    return counts


def _fingerprint(sets: list[_MaskSet]) -> str:
    """Return a name for masks and the rules that they are read by; other sizes or dates make another."""
    digest = hashlib.sha256()
    for part in sets:
        digest.update(repr((part.read.args, part.metainfo["classes"])).encode())
        paths = {info.get("seg_map_path") or info.get("img_path") for info in part.infos}
        paths |= {info.get("dataset_file") for info in part.infos}
        for file in sorted(paths - {None}):
            found = Path(file).stat()
            digest.update(f"{file} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _weights_in_words(node: Any, place: str) -> Iterator[tuple[str, ConfigDict]]:
    """Yield every part of a model whose `class_weight` is a string, with its place."""
    if isinstance(node, dict):
        if isinstance(node.get("class_weight"), str):
            yield place, node
        items = node.items()
    else:
        items = enumerate(node) if isinstance(node, (list, tuple)) else ()
    for name, child in items:
        yield from _weights_in_words(child, f"{place}.{name}")


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
