"""A run that is continued stays the run that it was: its losses, class weights, crops and data."""

from __future__ import annotations

import copy
import itertools
import shlex
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from semseg.checkpoints.description import describe_run, description_of
from semseg.checkpoints.plain import plain
from semseg.checkpoints.reading import read_checkpoint
from semseg.config.classes import shortened
from semseg.config.patch import Patch
from semseg.config.rare_crops import rare_class_datasets
from semseg.config.schedule import counts_epochs
from semseg.config.tree import as_list, heads, inner_datasets
from semseg.errors import InvalidConfigError
from semseg.training.options import FolderOptions

_NO_MATTER = ("pipeline", "lazy_init", "serialize_data", "max_refetch", "backend_args", "test_mode")
_FLAGS_OF_LOSS = {
    ("CrossEntropyLoss",): "ce",
    ("CrossEntropyLoss", "OHEMPixelSampler"): "ohem",
    ("FocalLoss",): "focal",
    ("CrossEntropyLoss", "TverskyLoss"): "dice",
    ("CrossEntropyLoss", "LovaszLoss"): "lovasz",
}


def configure(cfg: Config, options: FolderOptions) -> Patch:
    """Refuse to continue a checkpoint with other losses, class weights, rare crops or data than it was trained with.

    What a checkpoint does not say of itself is not compared. The same files in another place are the same data. Nothing
    is changed.

    Raises:
        ValueError: the first difference, with both values and the ways out.
    """
    if cfg.get("resume"):
        _compare(cfg)
    return Patch()


def _compare(cfg: Config) -> None:
    description = description_of(read_checkpoint(cfg.load_from, mmap=True), cfg.load_from)
    if not isinstance(description.get("config"), dict):
        return
    before, now = ConfigDict(description["config"]), ConfigDict(plain(cfg.to_dict()))
    for flag, what in _COMPARED.items():
        differ = next(
            (pair for pair in zip(what.list(before), what.list(now), strict=False) if pair[0] != pair[1]), None
        )
        if differ is None or (flag == "--data" and _is_same_data(cfg, description)):
            continue
        was, would_be = map(what.in_words, differ)
        if was == would_be:  # the words leave out what is different
            was, would_be = map(str, differ)
        given = _given(str(description.get("command")), flag)
        how = f"with {flag} {given}" if given else f"without {flag}, and with the config as it was"
        raise InvalidConfigError(
            f"--resume: {cfg.load_from} was trained with {was}, and would go on with {would_be}: resume it {how}, or"
            " start a new run from its weights with --load-from"
        )


def _losses(config: ConfigDict) -> list[Any]:
    """Return of each head its losses, without class weights, and what chooses the pixels that they see."""
    return [
        [*({k: v for k, v in loss.items() if k != "class_weight"} for loss in losses), *as_list(head.get("sampler"))]
        for head, losses in _heads(config)
    ]


def _loss_in_words(parts: list[dict]) -> str:
    kinds = tuple(str(part.get("type")).rpartition(".")[2] for part in parts)
    return f"the loss {_FLAGS_OF_LOSS.get(kinds, ' and '.join(kinds) or 'of its head')}"


def _class_weights(config: ConfigDict) -> list[Any]:
    return [loss.get("class_weight") for _, losses in _heads(config) for loss in losses]


def _class_weights_in_words(weights: Any) -> str:
    if weights is None:
        return "no class weights"
    return f"the class weights {weights if isinstance(weights, str) else shortened(list(map(str, weights)))}"


def _rare_crops(config: ConfigDict) -> list[Any]:
    """Return the share of rare crops; 0 where there are none."""
    return [[one.get("share", 0.5) for _, one in rare_class_datasets(config.train_dataloader.dataset)] or 0]


def _rare_crops_in_words(shares: Any) -> str:
    return f"rare crops of share {', '.join(map(str, shares))}" if shares else "no rare crops"


def _data(config: ConfigDict) -> list[Any]:
    sets = inner_datasets(config.train_dataloader.dataset)
    return [[{key: value for key, value in one.items() if key not in _NO_MATTER} for one in sets]]


def _data_in_words(sets: list[dict]) -> str:
    names = [
        one.get("dataset_file") or " ".join(str(one[key]) for key in ("type", "data_root") if one.get(key))
        for one in sets
    ]
    return f"the data of {shortened(names)}"


class _Compared(NamedTuple):
    list: Callable[[ConfigDict], list[Any]]  # the same places in the same order
    in_words: Callable[[Any], str]  # what is in one place


def _length_unit(config: ConfigDict) -> list[str]:
    return ["epochs" if counts_epochs(config) else "iterations"]


_COMPARED = {
    "--epochs": _Compared(_length_unit, lambda unit: f"a length in {unit}"),
    "--loss": _Compared(_losses, _loss_in_words),
    "--class-weight": _Compared(_class_weights, _class_weights_in_words),
    "--rare-crops": _Compared(_rare_crops, _rare_crops_in_words),
    "--data": _Compared(_data, _data_in_words),
}


def _is_same_data(cfg: Config, description: dict) -> bool:
    """Return whether it is the same set after all, which has moved."""
    init_default_scope(cfg.get("default_scope", "mmseg"))
    built = {}
    for split in ("train", "val"):
        loader = cfg.get(f"{split}_dataloader")
        if loader is not None:
            parts = [{**copy.deepcopy(one), "pipeline": []} for one in inner_datasets(loader.dataset)]
            built[split] = SimpleNamespace(datasets=[DATASETS.build(one) for one in parts])
    now = describe_run(cfg, built, None, 1)
    return all(now[key] == description.get(key) for key in ("classes", "label_map", "data"))


def _given(command: str, flag: str) -> str | None:
    """Return what followed a flag in a command, with the flag between values of its own; None if it was not in it."""
    words = [part for word in shlex.split(command) for part in word.split("=", 1)]
    values = [value for word, value in itertools.pairwise(words) if word == flag]
    return f" {flag} ".join(values) or None


def _heads(config: ConfigDict) -> list[tuple[ConfigDict, list]]:
    return [(head, as_list(head.get("loss_decode"))) for head in heads(config.model)]
