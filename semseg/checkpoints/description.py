"""What a checkpoint says of itself, under `meta.semseg`: plain data, which loads without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from semseg.checkpoints.facts import command_line, git_state, now, versions
from semseg.checkpoints.fingerprint import data_fingerprint
from semseg.checkpoints.plain import plain, scores
from semseg.config.tree import built_datasets
from semseg.errors import InvalidCheckpointError

SCHEMA = 1
"""Version of the layout; a file with a higher one is from a later semseg."""


def describe_run(cfg: Config, datasets: Mapping[str, Any], seed: int | None, num_processes: int) -> dict:
    """Say what stays the same during a run.

    Args:
        cfg: of the run, finished.
        datasets: `train`, and `val` if there is one, as they are built.
        seed: of the run.
        num_processes: that train together.

    Returns:
        Plain data: `schema`, `classes`, `palette`, `label_map` (stored value to train id, None if there is
        none), `config`, `config_file`, `versions`, `data` (see `data_fingerprint`), `git`, `command`, `seed`,
        `num_processes`.
    """
    train = next(built_datasets(datasets["train"]))
    metainfo = getattr(train, "metainfo", {})
    rules = getattr(train, "rules", None)  # of a dataset.yaml
    return {
        "schema": SCHEMA,
        "classes": plain(metainfo.get("classes")),
        "palette": plain(metainfo.get("palette")),
        "label_map": plain((rules.label_map if rules is not None else metainfo.get("label_map")) or None),
        "config": plain(cfg.to_dict()),
        "config_file": cfg.filename and str(cfg.filename),
        "versions": versions(),
        "data": data_fingerprint(datasets),
        "git": git_state(),
        "command": command_line(),
        "seed": seed,
        "num_processes": num_processes,
    }


def describe_state(iteration: int, validation: dict | None, averaged: bool) -> dict:
    """Say what is different in every checkpoint of a run.

    Args:
        iteration: how many are finished.
        validation: from `describe_validation`: the last one.
        averaged: whether the weights are a moving average (EMA).
    """
    weights = "moving average" if averaged else "as trained"
    return {"iteration": iteration, "metrics": validation, "weights": weights, "time": now()}


def describe_validation(iteration: int, metrics: Mapping[str, Any]) -> dict:
    """Keep the scores of a validation, with the iteration that it came after; None for nan."""
    return {"iteration": iteration, "scores": scores(metrics)}


def description_of(checkpoint: Mapping[str, Any], name: object = "the checkpoint") -> dict:
    """Return what a checkpoint says of itself; empty if it was written by something else.

    Raises:
        ValueError: a later semseg wrote it, or the description is none.
    """
    meta = checkpoint.get("meta")
    found = meta.get("semseg") if isinstance(meta, dict) else None
    if found is None:
        return {}
    schema = found.get("schema") if isinstance(found, dict) else None
    if not isinstance(schema, int):
        raise InvalidCheckpointError(f"{name}: what stands under meta.semseg is no description of a checkpoint")
    if schema > SCHEMA:
        raise InvalidCheckpointError(
            f"{name} describes itself by schema {schema}, this semseg knows up to {SCHEMA}: update semseg, or name"
            " the config"
        )
    return found


def classes_of(checkpoint: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the class names, in the order of their train ids; None if the file doesn't say."""
    return _of_dataset(checkpoint, "classes")


def palette_of(checkpoint: Mapping[str, Any]) -> tuple | None:
    """Return the colours of the classes, RGB; None if the file doesn't say."""
    return _of_dataset(checkpoint, "palette")


def _of_dataset(checkpoint: Mapping[str, Any], key: str) -> tuple | None:
    meta = checkpoint.get("meta") or {}
    # MMSegmentation 0.x wrote CLASSES, PALETTE; the first releases of 1.x wrote them into dataset_meta
    places = [(meta.get("dataset_meta") or {}, key), (meta.get("dataset_meta") or {}, key.upper()), (meta, key.upper())]
    found = next((place[name] for place, name in places if place.get(name) is not None), None)
    return None if found is None else tuple(found)
