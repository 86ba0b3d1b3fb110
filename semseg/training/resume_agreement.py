"""Check that a run is continued with the same losses, class weights, crops, data, sizes, batch and plugins.

The unit of its length, which is epochs or iterations, and `performance` are compared, too.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from semseg.checkpoints.description import describe_run, description_of
from semseg.checkpoints.plain import plain
from semseg.checkpoints.reading import read_checkpoint
from semseg.config.options import STOCK
from semseg.config.patch import Patch
from semseg.config.plugin_records import missing_plugins, plugin_flags, records_of, warn_of_changes
from semseg.config.rare_crops import rare_class_datasets
from semseg.config.schedule import counts_epochs
from semseg.config.tree import as_list, heads, inner_datasets, type_name
from semseg.datasets.built_sets import build_without_pipelines
from semseg.errors import InvalidConfigError
from semseg.system.machine import num_processes
from semseg.system.wording import listing
from semseg.training.options import FolderOptions
from semseg.training.resume_sizes import KEPT_PIXELS, compare_sizes

_IGNORED_KEYS = ("pipeline", "lazy_init", "serialize_data", "max_refetch", "backend_args", "test_mode")
_NUM_SHOWN = 6  # names in a message
_BATCH_KEY = "train_dataloader.batch_size"
_LOSS_NAMES: dict[tuple[str, ...], str] = {
    ("CrossEntropyLoss",): "ce",
    ("CrossEntropyLoss", "OHEMPixelSampler"): "ohem",
    ("FocalLoss",): "focal",
    ("CrossEntropyLoss", "TverskyLoss"): "dice",
    ("CrossEntropyLoss", "LovaszLoss"): "lovasz",
}


def configure(cfg: Config, options: FolderOptions) -> Patch:
    """Refuse to continue a checkpoint with other losses, class weights, rare crops, data or sizes than before.

    Another `performance`, another unit of the length (epochs or iterations) and missing plugins are refused, too; a
    plugin that has changed gives a warning. Only what the checkpoint describes is compared. The same files in another
    folder are the same data. The number of processes may change as long as they train as many images in a step
    together: other steps would begin at another place in the data. `cfg_options` with the batch size accept that.
    The config is not changed.

    Raises:
        ValueError: the first difference, with both values and what to do; or the plugins that are missing.
    """
    if cfg.get("resume"):
        _compare(cfg, options.cfg_options)
    return Patch()


def _compare(cfg: Config, cfg_options: Sequence[str]) -> None:
    description = description_of(read_checkpoint(cfg.load_from, mmap=True), cfg.load_from)
    if not isinstance(description.get("config"), dict):
        return
    recorded = records_of(description)
    if missing := [name for name, _ in missing_plugins(recorded)]:
        raise InvalidConfigError(
            f"`resume`: {cfg.load_from} was trained with parts in files of yours, and no checkpoint contains code: add"
            f" {plugin_flags(missing)}, with the path of each file",
            code="E-checkpoint-plugin",
        )
    warn_of_changes(recorded, cfg.load_from)
    before, now = ConfigDict(description["config"]), ConfigDict(plain(cfg.to_dict()))
    command = str(description.get("command"))
    for option, compared in _COMPARED.items():
        different = next(
            (pair for pair in zip(compared.read(before), compared.read(now), strict=False) if pair[0] != pair[1]), None
        )
        if different is None or (option == "data" and _is_same_data(cfg, description)):
            continue
        was, would_be = map(compared.describe, different)
        if was == would_be:  # the description leaves out the difference
            was, would_be = map(str, different)
        values = _option_values(command, f"--{option.replace('_', '-')}")
        how = f"without `{option}`, and with the config as it was"
        if values:
            how = "with " + " ".join(f"`{option}` {value}" for value in values)
        raise _refusal(cfg, was, would_be, how)
    sizes = compare_sizes(before, now, bool(_option_values(command, "--rare-crops")))
    if sizes is not None:
        raise _refusal(cfg, sizes.before, sizes.now, f"with `cfg_options` {sizes.options}")
    if not any(option.partition("=")[0] == _BATCH_KEY for option in cfg_options):
        _compare_batches(cfg, before, description.get("num_processes"))


def _compare_batches(cfg: Config, before: ConfigDict, num_before: Any) -> None:
    """Compare the images of a step of all processes."""
    sizes = before.train_dataloader.get("batch_size"), cfg.train_dataloader.get("batch_size")
    numbers = num_before, num_processes(cfg.launcher)
    if not all(isinstance(number, int) and number > 0 for number in (*sizes, *numbers)):
        return  # a batch sampler has no batch size, and a description may hold anything
    was, would_be = (size * number for size, number in zip(sizes, numbers, strict=True))
    if was == would_be:
        return
    how = f"in {numbers[0]} processes" if was % numbers[1] else f"with `cfg_options` {_BATCH_KEY}={was // numbers[1]}"
    raise _refusal(
        cfg,
        f"{was} images in a step ({numbers[0]} x {sizes[0]})",
        f"{would_be} ({numbers[1]} x {sizes[1]}), at another place in the data",
        f"{how} ({_BATCH_KEY}={sizes[1]} accepts the difference)",
    )


def _refusal(cfg: Config, was: str, would_be: str, how: str) -> InvalidConfigError:
    return InvalidConfigError(
        f"`resume`: {cfg.load_from} was trained with {was}, and would go on with {would_be}: resume it {how}, or"
        " start a new run from its weights with `load_from`",
        code="E-config-resume-differs",
    )


def _losses(config: ConfigDict) -> list[Any]:
    """Return for each head its losses, without class weights and sizes, and its pixel sampler."""
    left_out = ("class_weight", KEPT_PIXELS)
    return [
        [{k: v for k, v in part.items() if k not in left_out} for part in [*losses, *as_list(head.get("sampler"))]]
        for head, losses in _heads(config)
    ]


def _describe_loss(parts: list[dict]) -> str:
    kinds = tuple(str(part.get("type")).rpartition(".")[2] for part in parts)
    return f"the loss {_LOSS_NAMES.get(kinds, ' and '.join(kinds) or 'of its head')}"


def _class_weights(config: ConfigDict) -> list[Any]:
    return [loss.get("class_weight") for _, losses in _heads(config) for loss in losses]


def _describe_class_weights(weights: Any) -> str:
    if weights is None:
        return "no class weights"
    return f"the class weights {weights if isinstance(weights, str) else listing(weights, _NUM_SHOWN)}"


def _rare_crops(config: ConfigDict) -> list[Any]:
    """Return the share of rare crops of each set; 0 if there are none."""
    return [[dataset.get("share", 0.5) for _, dataset in rare_class_datasets(config.train_dataloader.dataset)] or 0]


def _describe_rare_crops(shares: Any) -> str:
    return f"rare crops of share {', '.join(map(str, shares))}" if shares else "no rare crops"


def _data(config: ConfigDict) -> list[Any]:
    datasets = inner_datasets(config.train_dataloader.dataset)
    return [[{key: value for key, value in dataset.items() if key not in _IGNORED_KEYS} for dataset in datasets]]


def _describe_data(datasets: list[dict]) -> str:
    names = [
        dataset.get("dataset_file") or " ".join(str(dataset[key]) for key in ("type", "data_root") if dataset.get(key))
        for dataset in datasets
    ]
    return f"the data of {listing(names, _NUM_SHOWN)}"


class _Compared(NamedTuple):
    """A property of a config that has to stay the same.

    Attributes:
        read: returns the values in a config, always in the same order.
        describe: returns the text for one value.
    """

    read: Callable[[ConfigDict], list[Any]]
    describe: Callable[[Any], str]


def _performance(config: ConfigDict) -> list[str]:
    """Return `stock` for a run without SeedHook, which every other run has."""
    is_seeded = any(type_name(hook) == "SeedHook" for hook in as_list(config.get("custom_hooks")))
    return ["fast" if is_seeded else STOCK]


def _length_unit(config: ConfigDict) -> list[str]:
    return ["epochs" if counts_epochs(config) else "iterations"]


_COMPARED = {
    "epochs": _Compared(_length_unit, lambda unit: f"a length in {unit}"),
    "loss": _Compared(_losses, _describe_loss),
    "class_weight": _Compared(_class_weights, _describe_class_weights),
    "performance": _Compared(_performance, lambda performance: f"`performance` {performance}"),
    "rare_crops": _Compared(_rare_crops, _describe_rare_crops),
    "data": _Compared(_data, _describe_data),
}
"""By the name of the option that changes it."""


def _is_same_data(cfg: Config, description: dict) -> bool:
    """Return whether the data are the same in spite of another config, because the set was moved."""
    init_default_scope(cfg.get("default_scope", "mmseg"))
    built = {}
    for split in ("train", "val"):
        loader = cfg.get(f"{split}_dataloader")
        if loader is not None:
            built[split] = SimpleNamespace(datasets=build_without_pipelines(loader.dataset))
    now = describe_run(cfg, built, None, 1)
    return all(now[key] == description.get(key) for key in ("classes", "label_map", "data"))


def _option_values(command: str, flag: str) -> list[str]:
    """Return the values that a flag has in a command, one for each time that it is given."""
    words = [part for word in shlex.split(command) for part in word.split("=", 1)]
    return [value for word, value in itertools.pairwise(words) if word == flag]


def _heads(config: ConfigDict) -> list[tuple[ConfigDict, list]]:
    return [(head, as_list(head.get("loss_decode"))) for head in heads(config.model)]
