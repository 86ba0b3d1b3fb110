"""Derive random numbers from the seed and the position in the run, so that a resumed run draws the same samples."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from semseg.config.patch import Key, Patch
from semseg.config.schedule import counts_epochs
from semseg.config.tree import type_name
from semseg.training.options import NoOptions


def configure(cfg: Config, options: NoOptions) -> Patch:
    """Replace InfiniteSampler, and DefaultSampler in a run by epochs, by samplers that draw by position.

    Other samplers and worker functions of the config are kept.
    """
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
        return Patch(values, hooks=[dict(type="SeedHook")])
    if type_name(loader.dataset) != "SeededDataset":
        wraps = {("train_dataloader", "dataset"): (dict(type="SeededDataset"), "dataset")}
    return Patch(values, wraps, [dict(type="SeedHook")], notes)
