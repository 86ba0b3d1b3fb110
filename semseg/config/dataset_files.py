"""Sets of a dataset.yaml in place of those of a config: `--data`, once or several times."""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from semseg.config.classes import adapt_pipeline, classes_of, difference, shortened
from semseg.config.heads import set_num_classes, take_masks_of_this_project
from semseg.config.tree import class_weights, counting_heads, inner_datasets
from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.errors import InvalidConfigError

_SPLITS = {"train": ("train",), "val": ("val", "test"), "test": ("test", "val")}  # by step, the best one first
_NO_CLASSES = ("DepthEstimator",)
_MOST_NAMES = 4  # of data sets, in the name of a folder


def use_dataset_files(cfg: Config, paths: Sequence[str | Path]) -> None:
    """Make a config train, validate and test on the sets of one or several dataset.yaml files (in place).

    Training takes the split `train`; validation `val`, else `test`; testing `test`, else `val`. The pipelines
    stay, with other loaders; every head gets as many classes as the sets have, see `set_num_classes`, and what is left
    out or replaced in the model is logged. Several sets are read one after the
    other, as one set; a set that has neither `val` nor `test` is trained on, and left out of the validation.

    Raises:
        FileNotFoundError, ValueError: those of `read_dataset_file`; a file is given twice, or sets have other classes.
    """
    _check_given_once(paths)
    rules_of = {str(path): read_dataset_file(path) for path in paths}
    if cfg.model.get("type") in _NO_CLASSES:
        raise InvalidConfigError(
            f"--data {paths[0]} has classes, and model.type {cfg.model.type!r} does not predict classes"
        )
    _check_alike(rules_of)
    changes = _note_kept_weights(cfg, next(iter(rules_of.values())))
    plugins = "semseg.plugins"
    imports = cfg.get("custom_imports", {}).get("imports", [])
    if plugins not in imports:  # a config from elsewhere
        cfg.custom_imports = {"imports": [*imports, plugins], "allow_failed_imports": False}
    import_modules_from_strings([plugins])
    for step, splits in _SPLITS.items():
        loader = cfg.get(f"{step}_dataloader")
        if loader is None:
            continue
        pipeline = inner_datasets(loader.dataset)[0].get("pipeline", [])
        has_split = [path for path, rules in rules_of.items() if rules.splits.keys() & set(splits)]
        chosen = has_split if step == "val" and has_split else rules_of  # `check_split` tells what is missing
        folders = [_dataset(path, rules_of[path], splits, pipeline) for path in chosen]
        # colours may differ from set to set: those of the first paint all
        joined = dict(type="ConcatDataset", datasets=folders, ignore_keys=["palette"])
        dataset = folders[0] if len(folders) == 1 else joined
        is_sampled = loader.dataset.get("type") == "RareClassDataset"
        loader["dataset"] = {**loader.dataset, "dataset": dataset} if is_sampled else dataset
    first = next(iter(rules_of.values()))
    if "tta_pipeline" in cfg:
        cfg.tta_pipeline = adapt_pipeline(cfg.tta_pipeline, first)
    changes += set_num_classes(cfg.model, len(first.classes))
    changes += take_masks_of_this_project(cfg.model, first.classes)
    for change in changes:
        _warn("--data: %s", change)


def _note_kept_weights(cfg: Config, rules: DatasetFile) -> list[str]:
    """Say which class weights stay, although the config's own set has other classes of the same number."""
    try:
        own = classes_of(cfg.get("train_dataloader"))
    except ValueError:  # a data set of another project, which --data replaces
        return []
    if own is None or own == rules.classes or len(own) != len(rules.classes):
        return []
    kept = [
        place
        for key, head in counting_heads(cfg.model)
        for place, _, weights in class_weights(head, key)
        if len(weights) == len(own) and len(set(weights)) > 1
    ]
    if not kept:
        return []
    return [f"{', '.join(kept)} stays as it is: {len(own)} numbers, made for other classes ({shortened(own)})"]


def set_name(path: str | Path) -> str:
    """Return what folders call the set of a dataset.yaml: the file's name, or its folder's if that says nothing."""
    path = Path(path).resolve()
    return (path.parent.name if path.stem == "dataset" else path.stem) or "data"


def join_set_names(names: Sequence[str], sources: Sequence[str]) -> str:
    """Return what folders call several sets.

    Args:
        names: of each set.
        sources: where each comes from, which tells sets of one name apart.
    """
    different = [name for _, name in dict.fromkeys(zip(sources, names, strict=True))]
    if len(different) > _MOST_NAMES:
        digest = zlib.crc32("\n".join(sources).encode())
        different[_MOST_NAMES - 1 :] = [f"{len(different) - _MOST_NAMES + 1}_more-{digest:08x}"]
    return "+".join(different)


def views_pipeline(cfg: Config, dataset: dict) -> Any:
    """Return the `tta_pipeline` of a config as a data set needs it: photographs are turned as its dataset.yaml says."""
    if dataset.get("type") != "FolderSegDataset":
        return cfg.tta_pipeline
    return adapt_pipeline(cfg.tta_pipeline, read_dataset_file(dataset["dataset_file"]))


def check_split(cfg: Config, name: str, stand_in: str = "") -> None:
    """Refuse sets whose dataset.yaml lacks the split that a step needs, and tell of one that stands in.

    Args:
        cfg: from `load_config`.
        name: train, val or test: the loader and the split.
        stand_in: the split that does as well.
    """
    step = {"train": "training", "val": "validating", "test": "testing"}[name]
    needed = "testing" if name == "test" else "training"
    for dataset in _dataset_files_in(cfg, name):
        path, splits = dataset.dataset_file, read_dataset_file(dataset.dataset_file).splits
        if dataset.split not in splits:
            has = ", ".join(splits)
            instead = f", or {stand_in!r} instead" if stand_in else ""
            raise InvalidConfigError(f"{path} has no split {dataset.split!r}, only {has}; {needed} needs it{instead}")
        if dataset.split == stand_in and name not in splits:
            _warn("%s on split %r: %s has no %r", step, stand_in, path, name)
    if name == "val":
        trained, validated = (
            [dataset.dataset_file for dataset in _dataset_files_in(cfg, loader)] for loader in ("train", "val")
        )
        left_out = [path for path in trained if path not in validated]
        if left_out and validated and set(validated) < set(trained):
            _warn("validating on %s only: %s has neither 'val' nor 'test'", *map(" + ".join, (validated, left_out)))


def _dataset(path: str, rules: DatasetFile, splits: Sequence[str], pipeline: Any) -> dict:
    return {
        "type": "FolderSegDataset",
        "dataset_file": path,
        "split": next((split for split in splits if split in rules.splits), splits[0]),
        "pipeline": adapt_pipeline(pipeline, rules),
    }


def _check_given_once(paths: Sequence[str | Path]) -> None:
    seen: dict[Path, str] = {}
    for path in map(str, paths):
        real = Path(path).resolve()
        if real in seen:
            raise InvalidConfigError(
                f"--data {path} is given twice{f', also as {seen[real]}' if seen[real] != path else ''}"
            )
        seen[real] = path


def _check_alike(rules_of: Mapping[str, DatasetFile]) -> None:
    (first_path, first), *others = rules_of.items()
    for path, rules in others:
        if rules.classes != first.classes:
            raise InvalidConfigError(
                f"--data: {first_path} and {path} have other classes: {difference(first.classes, rules.classes)};"
                " sets that are used together have the same classes in the same order: give both the same list, and say"
                " in label_map which stored values mean which class"
            )


def _dataset_files_in(cfg: Config, name: str) -> list[Any]:
    loader = cfg.get(f"{name}_dataloader")
    found = [] if loader is None else inner_datasets(loader.dataset)
    return [dataset for dataset in found if dataset.get("type") == "FolderSegDataset"]


def _warn(message: str, *values: str) -> None:
    if int(os.environ.get("RANK", 0)) == 0:
        logging.getLogger("semseg").warning(message, *values)
