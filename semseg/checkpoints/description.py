"""The description in a checkpoint, under `meta.semseg`: plain data, which loads without running code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from semseg.checkpoints.facts import command_line, git_state, now, versions
from semseg.checkpoints.fingerprint import data_fingerprint
from semseg.checkpoints.plain import plain, round_scores
from semseg.config.tree import built_datasets
from semseg.errors import InvalidCheckpointError

SCHEMA = 1
"""Version of the layout; a file with a higher version is from a newer semseg."""


def describe_run(cfg: Config, datasets: Mapping[str, Any], seed: int | None, num_processes: int) -> dict:
    """Describe what is the same in all checkpoints of a run.

    Args:
        cfg: the finished config of the run.
        datasets: the built datasets: `train`, and `val` if there is one.
        seed: of the run.
        num_processes: number of processes that train together.

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
        "config_file": cfg.filename,
        "versions": versions(),
        "data": data_fingerprint(datasets),
        "git": git_state(),
        "command": command_line(),
        "seed": seed,
        "num_processes": num_processes,
    }


def describe_state(iteration: int, validation: dict | None, averaged: bool) -> dict:
    """Describe what differs between the checkpoints of a run.

    Args:
        iteration: number of finished iterations.
        validation: the last one, from `describe_validation`.
        averaged: whether the weights are a moving average (EMA).
    """
    weights = "moving average" if averaged else "as trained"
    return {"iteration": iteration, "metrics": validation, "weights": weights, "time": now()}


def describe_validation(iteration: int, metrics: Mapping[str, Any]) -> dict:
    """Return the scores of a validation, None for nan, and the iteration after which it ran."""
    return {"iteration": iteration, "scores": round_scores(metrics)}


def description_of(checkpoint: Mapping[str, Any], name: object = "the checkpoint") -> dict:
    """Return the description in a checkpoint; empty if another program wrote the file.

    Raises:
        ValueError: a newer semseg wrote it, or the description is invalid.
    """
    meta = checkpoint.get("meta")
    description = meta.get("semseg") if isinstance(meta, dict) else None
    if description is None:
        return {}
    schema = description.get("schema") if isinstance(description, dict) else None
    if not isinstance(schema, int):
        raise InvalidCheckpointError(
            f"{name}: meta.semseg is not a description of a checkpoint", code="E-checkpoint-description"
        )
    if schema > SCHEMA:
        raise InvalidCheckpointError(
            f"{name} has a description of schema {schema}, and this semseg knows up to {SCHEMA}: update semseg, or name"
            " the config",
            code="E-checkpoint-schema",
        )
    return description


def classes_of(checkpoint: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the class names, in the order of their train ids; None if the file has none."""
    return _find_metainfo(checkpoint, "classes")


def palette_of(checkpoint: Mapping[str, Any]) -> tuple | None:
    """Return the colours of the classes, RGB; None if the file has none."""
    return _find_metainfo(checkpoint, "palette")


def _find_metainfo(checkpoint: Mapping[str, Any], key: str) -> tuple | None:
    meta = checkpoint.get("meta") or {}
    # MMSegmentation 0.x wrote CLASSES, PALETTE; the first releases of 1.x wrote them into dataset_meta
    places = [(meta.get("dataset_meta") or {}, key), (meta.get("dataset_meta") or {}, key.upper()), (meta, key.upper())]
    value = next((place[name] for place, name in places if place.get(name) is not None), None)
    return None if value is None else tuple(value)
