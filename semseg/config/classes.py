"""Which classes a config is about: its data set says so; heads, loaders and checkpoints have to agree."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmseg.registry import DATASETS

from semseg.checkpoints.description import classes_of as classes_of_checkpoint
from semseg.checkpoints.description import palette_of as palette_of_checkpoint
from semseg.config.tree import class_weights, counting_heads, inner_datasets
from semseg.datasets.dataset_file import Color, DatasetFile, read_dataset_file
from semseg.datasets.photographs import PHOTOGRAPH_LOADERS
from semseg.errors import InvalidConfigError
from semseg.labels import distinct_colors

_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


def concatenate_lists(cfg: Config) -> None:
    """Turn a list of data sets, as MMSegmentation 0.x took it, into a ConcatDataset (in place)."""
    for name in _LOADERS:
        loader = cfg.get(name)
        if loader is not None and isinstance(loader.get("dataset"), (list, tuple)):
            loader["dataset"] = dict(type="ConcatDataset", datasets=list(loader.dataset))


def classes_of(loader: ConfigDict | None) -> tuple[str, ...] | None:
    """Return the class names of a dataloader's set; None where the config doesn't say.

    Raises:
        ValueError: no such kind of dataset.
    """
    if loader is None:
        return None
    return _classes_of_dataset(inner_datasets(loader.dataset)[0])


def _classes_of_dataset(dataset: ConfigDict) -> tuple[str, ...] | None:
    given = dataset.get("metainfo", {}).get("classes")
    if given is not None:
        return None if isinstance(given, str) else tuple(given)  # a string names a file
    if dataset.type == "FolderSegDataset":
        path = Path(dataset.dataset_file)  # not there: on a machine that only infers
        return read_dataset_file(path).classes if path.is_file() else None
    found = DATASETS.get(dataset.type) if isinstance(dataset.type, str) else dataset.type
    if found is None:
        near = difflib.get_close_matches(dataset.type, DATASETS.module_dict, 1, 0.6)
        hint = f"did you mean {near[0]!r}?" if near else "a set of your own needs none: describe it for --data"
        raise InvalidConfigError(f"unknown dataset type {dataset.type!r}; {hint}")
    classes = getattr(found, "METAINFO", {}).get("classes")
    return None if classes is None else tuple(classes)


def classes_and_palette(
    checkpoint: Mapping[str, Any], cfg: Config, path: str | Path
) -> tuple[tuple[str, ...], tuple[Color, ...]]:
    """Return the classes of a model and their colours: those of its checkpoint, else those of the config's test set.

    Args:
        checkpoint: what the file holds.
        cfg: of the model.
        path: of the checkpoint, for messages.

    Raises:
        ValueError: neither says it, or the config's set has another number of classes than the model.
    """
    classes, palette = classes_of_checkpoint(checkpoint), palette_of_checkpoint(checkpoint)
    if classes is None:
        loader = cfg.get("test_dataloader") or cfg.get("val_dataloader")
        classes, palette = classes_of(loader), _palette_of(loader)
        if classes is None:
            raise InvalidConfigError(
                f"neither {path} (meta.dataset_meta) nor the config says which classes the model knows: name the"
                " config or the --data that it was trained with"
            )
        for key, head in counting_heads(cfg.model):
            if head["num_classes"] != len(classes):
                raise InvalidConfigError(
                    f"{path} does not say which classes it knows, and {name_of(loader)} has {len(classes)} where"
                    f" {key}.num_classes is {head['num_classes']}: name the --data that it was trained with"
                )
    if palette is None or len(palette) != len(classes):
        palette = distinct_colors(len(classes))
    return tuple(classes), tuple(tuple(color) for color in palette)


def _palette_of(loader: ConfigDict | None) -> Sequence | None:
    if loader is None:
        return None
    dataset = inner_datasets(loader.dataset)[0]
    if dataset.get("metainfo", {}).get("palette") is not None:
        return dataset.metainfo.palette
    if dataset.type == "FolderSegDataset":
        return read_dataset_file(dataset.dataset_file).palette
    found = DATASETS.get(dataset.type) if isinstance(dataset.type, str) else dataset.type
    return getattr(found, "METAINFO", {}).get("palette")


def agree_on_classes(cfg: Config, path: Path) -> None:
    """Check the heads against the data sets, and tell every mask loader how many classes there are.

    Args:
        cfg: with all options applied; changed in place.
        path: its file, for the messages.

    Raises:
        ValueError: a head has another number of classes than any of the sets, or sets of other classes are joined.
    """
    for name in _LOADERS:
        loader = cfg.get(name)
        classes = classes_of(loader)
        if loader is not None:
            _check_joined(loader.dataset, f"{path}: {name}")
        for dataset in inner_datasets(loader.dataset) if classes is not None else ():
            if dataset.type != "FolderSegDataset" and "pipeline" in dataset:
                dataset["pipeline"] = _with_num_classes(dataset["pipeline"], len(classes))
    test_classes = classes_of(cfg.get("test_dataloader"))
    if "tta_pipeline" in cfg and test_classes is not None:
        cfg.tta_pipeline = _with_num_classes(cfg.tta_pipeline, len(test_classes))

    loaders = [loader for name in _LOADERS if (loader := cfg.get(name)) is not None]
    found = [classes_of(loader) for loader in loaders]
    counts = {len(classes) for classes in found if classes is not None}
    for key, head in counting_heads(cfg.model):
        if counts and None not in found and head["num_classes"] not in counts:
            raise InvalidConfigError(f"{path}: {_miscount(key, head, loaders[0])}")


def _check_joined(dataset: ConfigDict, place: str) -> None:
    """Refuse data sets of other classes inside one wrapper: the classes of the first would be those of all."""
    known = [(part, classes) for part in inner_datasets(dataset) if (classes := _classes_of_dataset(part)) is not None]
    for part, classes in known[1:]:
        if classes != known[0][1]:
            first, other = (str(one.get("dataset_file", one.type)) for one in (known[0][0], part))
            raise InvalidConfigError(
                f"{place} joins {first} and {other}, which have other classes: {difference(known[0][1], classes)}; give"
                " all the same classes in the same order"
            )


def check_training(cfg: Config) -> None:
    """Refuse a config that trains other classes than its heads and weights count, or than it validates on.

    Raises:
        ValueError: the first of these that is so.
    """
    classes, val = classes_of(cfg.get("train_dataloader")), classes_of(cfg.get("val_dataloader"))
    if classes is None:
        return
    for key, head in counting_heads(cfg.model):
        if head["num_classes"] != len(classes):
            raise InvalidConfigError(_miscount(key, head, cfg.train_dataloader))
        for place, _, weights in class_weights(head, key):
            if len(weights) not in (
                len(classes),
                len(classes) + 1,
            ):  # + 1: some losses have one for no object
                raise InvalidConfigError(
                    f"{place} holds {len(weights)} weights, but {name_of(cfg.train_dataloader)} has"
                    f" {len(classes)} classes; give one per class, or None"
                )
    if val is not None and val != classes:
        raise InvalidConfigError(
            f"{name_of(cfg.train_dataloader)}, which trains, and {name_of(cfg.val_dataloader)}, which"
            f" validates, have other classes: {difference(classes, val)}; they have to be the same"
        )


def _miscount(key: str, head: ConfigDict, loader: ConfigDict) -> str:
    classes = classes_of(loader) or ()
    return (
        f"{key}.num_classes is {head['num_classes']}, but {name_of(loader)} has {len(classes)} classes"
        f" ({shortened(classes)}); set it to {len(classes)}"
    )


def adapt_pipeline(steps: Any, rules: DatasetFile) -> Any:
    """Return a pipeline that reads photographs and masks by the rules of a dataset.yaml."""
    if isinstance(steps, (list, tuple)):
        return type(steps)(adapt_pipeline(step, rules) for step in steps)  # crop sizes stay tuples
    if not isinstance(steps, dict):
        return steps
    kind = str(steps.get("type")).rpartition(".")[2]
    if kind in ("LoadAnnotations", "LoadTrainIds"):
        return {"type": "LoadTrainIds"}
    changed = {key: adapt_pipeline(value, rules) for key, value in steps.items()}
    if kind in PHOTOGRAPH_LOADERS:
        if rules.exif == "ignore":
            changed["color_type"] = "color_ignore_orientation"
        elif changed.get("color_type") == "color_ignore_orientation":
            del changed["color_type"]
        changed.pop("bits", None)
        if rules.bits is not None:
            changed.update(type="LoadPhotograph", bits=rules.bits)
    return changed


def read_photographs_alike(cfg: Config) -> None:
    """Let every pipeline read photographs as inference does (in place): LoadPhotograph for LoadImageFromFile."""
    for name in _LOADERS:
        if (loader := cfg.get(name)) is not None:
            loader.dataset = _with_photographs(loader.dataset)
    if "tta_pipeline" in cfg:
        cfg.tta_pipeline = _with_photographs(cfg.tta_pipeline)


def _with_photographs(node: Any) -> Any:
    if isinstance(node, (list, tuple)):
        return type(node)(_with_photographs(child) for child in node)
    if not isinstance(node, dict):
        return node
    changed = {key: _with_photographs(value) for key, value in node.items()}
    is_stock = changed.get("type") in ("LoadImageFromFile", "mmcv.LoadImageFromFile", "mmseg.LoadImageFromFile")
    if is_stock and "file_client_args" not in changed:
        changed["type"] = "LoadPhotograph"
    return changed


def _with_num_classes(steps: Any, num_classes: int) -> Any:
    if isinstance(steps, (list, tuple)):
        return type(steps)(_with_num_classes(step, num_classes) for step in steps)
    if not isinstance(steps, dict):
        return steps
    changed = {key: _with_num_classes(value, num_classes) for key, value in steps.items()}
    return {"num_classes": num_classes, **changed} if steps.get("type") == "LoadTrainIds" else changed


def name_of(loader: ConfigDict) -> str:
    """Return what a message calls the sets of a dataloader: their dataset.yaml, else their type."""
    names = (str(dataset.get("dataset_file", dataset.type)) for dataset in inner_datasets(loader.dataset))
    return " + ".join(dict.fromkeys(names))


def difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """Say in words in what two lists of classes differ."""
    only = [[name for name in one if name not in other] for one, other in ((ours, theirs), (theirs, ours))]
    if not any(only):
        return "the same names in another order"
    named = zip(("first", "second"), only, strict=True)
    return "; ".join(f"only the {which} has {shortened(names)}" for which, names in named if names)


def shortened(names: Sequence[str], count: int = 6) -> str:
    """List the first names, and count the others."""
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")
