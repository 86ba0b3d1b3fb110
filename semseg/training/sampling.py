"""Derive random numbers from the seed and the position in the run, so that a resumed run draws the same samples."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.dist import sync_random_seed

from semseg.config.hooks import remove_hooks
from semseg.config.options import STOCK
from semseg.config.patch import Key, Patch, changes
from semseg.config.schedule import counts_epochs
from semseg.config.tree import type_name
from semseg.errors import InvalidConfigError
from semseg.training.options import LoadingOptions

_STOCK_SAMPLERS = {"SeededSampler": "InfiniteSampler", "SeededEpochSampler": "DefaultSampler"}


def configure(cfg: Config, options: LoadingOptions) -> Patch:
    """Replace InfiniteSampler, and DefaultSampler in a run by epochs, by samplers that draw by position.

    Other samplers and worker functions of the config are kept. With `performance='stock'` the order of the samples is
    the same, and the random numbers are those that MMEngine's workers draw one after the other. With `packed`, samples
    are read from a packed set.

    Raises:
        ValueError: `packed` cannot be used with `performance` stock, or with the sampler of the config.
    """
    if options.performance == STOCK:
        if options.packed is not None:
            raise InvalidConfigError(
                "`packed` and `performance` stock: a packed set is read by loaders of this project; leave one out",
                code="E-config-conflict",
            )
        return changes(cfg, _use_stock_sampling)
    values: dict[Key, Any] = {}
    notes: list[str] = []
    for name in ("train_dataloader", "val_dataloader"):
        if cfg.get(name) is not None and "worker_init_fn" not in cfg[name]:
            values[name, "worker_init_fn"] = dict(type="deaf_worker_init_fn")
    loader, by_epoch = cfg.train_dataloader, counts_epochs(cfg)
    kind = type_name(loader.get("sampler") or {})
    wraps: dict[Key, tuple[dict[str, Any], str]] = {}
    if by_epoch and kind in ("InfiniteSampler", "SeededSampler", "DefaultSampler"):
        if kind != "DefaultSampler":
            notes = ["an epoch is one pass over the training set, so DefaultSampler takes the place of InfiniteSampler"]
        values["train_dataloader", "sampler", "type"] = "SeededEpochSampler"
    elif not by_epoch and kind in ("InfiniteSampler", "SeededSampler"):
        values["train_dataloader", "sampler", "type"] = "SeededSampler"
    else:
        if options.packed is not None:
            raise InvalidConfigError(
                f"`packed` needs the sampler InfiniteSampler or DefaultSampler, not {kind}",
                code="E-config-unsupported",
            )
        return Patch(values, hooks=[dict(type="SeedHook")])
    if type_name(loader.dataset) == "SeededDataset":  # of the config of another run
        if options.packed is not None:
            values["train_dataloader", "dataset", "packed"] = options.packed
    else:
        wrapper = dict(type="SeededDataset", fast=True, packed=options.packed)
        wraps = {("train_dataloader", "dataset"): (wrapper, "dataset")}
    return Patch(values, wraps, [dict(type="SeedHook"), dict(type="UnreadableFilesHook")], notes)


def _use_stock_sampling(cfg: Config) -> None:
    """Use MMEngine's samplers and the seeds of its workers. Modifies `cfg`, which may come from another run."""
    randomness = cfg.get("randomness") or {}
    if randomness.get("seed") is None:  # as the Runner would draw it
        cfg.randomness = dict(randomness, seed=sync_random_seed())
    for name in ("train_dataloader", "val_dataloader"):
        part = cfg.get(name)
        if part is not None and type_name(part.get("worker_init_fn") or {}) in ("", "deaf_worker_init_fn"):
            seeding = dict(seed=cfg.randomness.seed, num_workers=part.get("num_workers", 0))
            part.worker_init_fn = dict(type="deaf_worker_init_fn", **seeding)
    loader = cfg.train_dataloader
    if type_name(loader.dataset) == "SeededDataset":
        loader.dataset = loader.dataset.dataset
    sampler = loader.get("sampler") or {}
    if type_name(sampler) in _STOCK_SAMPLERS:
        sampler["type"] = _STOCK_SAMPLERS[type_name(sampler)]
    if counts_epochs(cfg) and type_name(sampler) == "InfiniteSampler":  # an epoch of it would never end
        sampler["type"] = "DefaultSampler"
    remove_hooks(cfg, "SeedHook", "UnreadableFilesHook")
