"""List configs with what their models cost and score."""

from __future__ import annotations

import csv
import fnmatch
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from semseg.analysis.model_costs import Cost, remembered_cost
from semseg.analysis.published_scores import Published, published_scores
from semseg.config import load_config
from semseg.config.dataset_files import dataset_name
from semseg.config.tree import as_list, type_name
from semseg.errors import InvalidConfigError, SemsegError
from semseg.system.worker_pool import run_all

MEASURED_FILE = "measured.json"
"""In the folder of the configs: for each name `data`, `split`, `mIoU`, and `minutes` or `iterations`, `seeds`,
`machine`."""
COLUMNS = (
    "config",
    "architecture",
    "data",
    "million_parameters",
    "gmacs_512x1024",
    "gmacs_1024x2048",
    "published_data",
    "published_miou",
    "published_miou_tta",
    "training_gib",
    "measured_miou",
    "measured_on",
    "note",
)
"""Of the table in a CSV file."""


class Model(NamedTuple):
    """A config in the list.

    Attributes:
        name: of the config.
        architecture: decode head and backbone.
        data: name of the data set.
        cost: of a prediction; None if the model cannot be built here.
        published: what MMSegmentation has published under this name; None if nothing.
        measured: what this project has measured, see `MEASURED_FILE`; None if nothing.
        note: why there is no cost; else empty.
    """

    name: str
    architecture: str
    data: str
    cost: Cost | None
    published: Published | None
    measured: Mapping[str, Any] | None
    note: str


def list_models(
    paths: Mapping[str, Path],
    pattern: str | None = None,
    data: str | None = None,
    *,
    measured: Mapping[str, Mapping[str, Any]] | None = None,
    num_processes: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Model]:
    """Return the models of configs, sorted by data set and number of operations.

    In `pattern` and `data`, upper and lower case are the same.

    Args:
        paths: of the configs, by name, such as `semseg.config.recipes.recipes()`.
        pattern: keep the names that contain this text, or match it, if it has `*`, `?` or `[`.
        data: keep the configs whose data set has a name that contains this text.
        measured: from `read_measured`.
        num_processes: that count operations at the same time.
        on_progress: called with the number of configs that are done, and their number.

    Raises:
        ValueError: nothing is left.

    Example:
        >>> from semseg.analysis.model_list import list_models
        >>> from semseg.config.recipes import recipes
        >>> (model,) = list_models(recipes(), "pspnet_r101-d8_4xb2-80k_cityscapes-512x1024")
        >>> model.architecture, model.data, model.published.miou
        ('PSP, ResNetV1c-101', 'cityscapes', 79.76)
    """
    chosen = [(name, path, data) for name, path in paths.items() if pattern is None or _matches(name, pattern)]
    described = run_all(_describe, chosen, min(num_processes, max(1, len(chosen))), on_progress)
    models = [model for model in described if model is not None]
    if not models:
        filters = ("" if pattern is None else f" that matches {pattern}") + ("" if data is None else f" for {data}")
        raise InvalidConfigError(
            f"no config{filters}; run it without a filter to list all configs", code="E-config-missing"
        )
    models = [
        model._replace(published=published_scores().get(model.name), measured=(measured or {}).get(model.name))
        for model in models
    ]
    return sorted(models, key=lambda model: (model.data, model.cost.num_macs if model.cost else (1 << 60,), model.name))


def _matches(name: str, pattern: str) -> bool:
    name, pattern = name.lower(), pattern.lower()
    return fnmatch.fnmatchcase(name, pattern) if any(sign in pattern for sign in "*?[") else pattern in name


def _describe(item: tuple[str, Path, str | None]) -> Model | None:
    """Describe a config, without what is published and measured; None if it is for another data set than asked."""
    name, path, data = item
    try:
        cfg = load_config(path)
    except SemsegError as error:
        note = str(error).removeprefix(f"{path}: ")
        return Model(name, "", "", None, None, None, note) if data is None or data.lower() in name.lower() else None
    loader = cfg.get("train_dataloader") or cfg.get("test_dataloader")
    own_data = "" if loader is None else dataset_name(loader["dataset"])
    if data is not None and data.lower() not in f"{own_data} {name}".lower():
        return None
    cost = remembered_cost(cfg)
    note = cost if isinstance(cost, str) else ""
    return Model(name, _architecture(cfg), own_data, cost if isinstance(cost, Cost) else None, None, None, note)


def _architecture(cfg: Config) -> str:
    parts = [type_name(head).removesuffix("Head") for head in as_list(cfg.model.get("decode_head"))[-1:]]
    backbone = cfg.model.get("backbone") or {}
    while backbone and "type" in backbone and "backbone_cfg" in backbone:  # such as BiSeNetV1, ICNet
        backbone = backbone["backbone_cfg"]
    if backbone:
        depth = f"-{backbone['depth']}" if "depth" in backbone else ""
        parts.append(type_name(backbone) + depth)
    return ", ".join(parts)


def read_measured(path: Path) -> dict[str, dict[str, Any]]:
    """Read the scores that this project has measured; empty if there is no file.

    Raises:
        ValueError: the file is not what `MEASURED_FILE` describes.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text())
        for name, entry in content.items():
            if not {"data", "split", "mIoU"} <= entry.keys():
                raise InvalidConfigError(f"{name} has no data, split or mIoU", code="E-config-value")
            float(entry["mIoU"])
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidConfigError(
            f"{path}: expected for each config data, split and mIoU ({error})", code="E-config-value"
        ) from error
    return content


def row_of(model: Model) -> list[Any]:
    """Return the values of `COLUMNS`; None where there is nothing."""
    cost, published, measured = model.cost, model.published, model.measured
    macs = [None, None] if cost is None else [round(count / 1e9, 1) for count in cost.num_macs]
    return [
        model.name,
        model.architecture,
        model.data,
        None if cost is None else round(cost.num_parameters / 1e6, 2),
        *macs,
        *([None] * 4 if published is None else published),
        None if measured is None else measured["mIoU"],
        None if measured is None else _measured_on(measured),
        model.note or None,
    ]


def _measured_on(measured: Mapping[str, Any]) -> str:
    """Return in a few words how a score was measured."""
    facts = [f"{measured['data']} {measured['split']}"]
    for key, unit in (("minutes", "min"), ("iterations", "iterations")):
        if measured.get(key) is not None:
            facts.append(f"{measured[key]:g} {unit}")
    seeds = measured.get("seeds")
    if seeds is not None:
        count = len(seeds) if isinstance(seeds, (list, tuple)) else int(seeds)
        facts.append(f"{count} seed{'s' if count > 1 else ''}")
    if measured.get("machine"):
        facts.append(str(measured["machine"]))
    return ", ".join(facts)


def write_csv(models: Sequence[Model], path: Path) -> None:
    """Write the list as a CSV file, with `COLUMNS` as its header."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(row_of(model) for model in models)


def table(models: Sequence[Model]) -> list[str]:
    """Return the lines of a table for a terminal, with the notes below it."""
    header = [
        "config",
        "architecture",
        "million",
        "GMACs at",
        "GMACs at",
        "published",
        "with flip",
        "training",
        "measured",
    ]
    second = ["", "", "parameters", "512x1024", "1024x2048", "mIoU", "and scales", "GB per GPU", "here"]
    rows = [header, second]
    for model in models:
        name, architecture, _, millions, small, large, _, miou, tta, memory, own, own_facts, _ = row_of(model)
        measured = "" if own is None else f"{own:.1f} ({own_facts})"
        numbers = [_format(value, digits) for value, digits in ((millions, 1), (small, 1), (large, 1))]
        rows.append([name, architecture, *numbers, *(_format(value, 2) for value in (miou, tta, memory)), measured])
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = []
    for row in rows:
        cells = [
            text.ljust(width) if i in (0, 1, 8) else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    notes = [f"{model.name}: {model.note}" for model in models if model.note]
    return lines + (["", *notes] if notes else [])


def _format(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
