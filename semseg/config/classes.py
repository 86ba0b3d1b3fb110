"""The classes of a config: its data set defines them; heads, loaders and checkpoints must agree."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmseg.registry import DATASETS

from semseg.checkpoints.description import classes_of as classes_of_checkpoint
from semseg.checkpoints.description import palette_of as palette_of_checkpoint
from semseg.config.bands import read_bands_in
from semseg.config.tree import (
    LOADERS,
    class_weights,
    counting_heads,
    datasets_of,
    edited,
    inner_datasets,
    may_weigh_no_object,
)
from semseg.datasets.bands import Bands
from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.dataset_keys import Color
from semseg.datasets.photographs import PHOTOGRAPH_LOADERS
from semseg.errors import InvalidConfigError
from semseg.labels import distinct_colors
from semseg.system.wording import listing


def concatenate_lists(cfg: Config) -> None:
    """Turn a list of data sets, as MMSegmentation 0.x accepted it, into a ConcatDataset. Modifies `cfg`."""
    for name in LOADERS:
        loader = cfg.get(name)
        if loader is not None and isinstance(loader.get("dataset"), (list, tuple)):
            loader["dataset"] = dict(type="ConcatDataset", datasets=list(loader.dataset))


def classes_of(loader: ConfigDict | None) -> tuple[str, ...] | None:
    """Return the class names of a dataloader's set; None if the config doesn't say.

    Raises:
        ValueError: the type of the data set is not registered.
    """
    if loader is None:
        return None
    return _classes_of_dataset(inner_datasets(loader.dataset)[0])


def _classes_of_dataset(dataset: ConfigDict) -> tuple[str, ...] | None:
    given = dataset.get("metainfo", {}).get("classes")
    if given is not None:
        return None if isinstance(given, str) else tuple(given)  # a string names a file
    if dataset.type == "FolderSegDataset":
        path = Path(dataset.dataset_file)  # the file is missing on a machine that only predicts
        return read_dataset_file(path).classes if path.is_file() else None
    dataset_class = _registered_class(dataset)
    if dataset_class is None:
        near = difflib.get_close_matches(dataset.type, DATASETS.module_dict, 1, 0.6)
        own = "to use images of your own, describe them in a dataset.yaml and give it as `data`"
        hint = f"did you mean {near[0]!r}?" if near else own
        raise InvalidConfigError(f"unknown dataset type {dataset.type!r}; {hint}", code="E-config-dataset-type")
    classes = getattr(dataset_class, "METAINFO", {}).get("classes")
    return None if classes is None else tuple(classes)


def _registered_class(dataset: ConfigDict) -> Any:
    return DATASETS.get(dataset.type) if isinstance(dataset.type, str) else dataset.type


def classes_and_palette(
    checkpoint: Mapping[str, Any], cfg: Config, path: str | Path
) -> tuple[tuple[str, ...], tuple[Color, ...]]:
    """Return the classes of a model and their colours: those of its checkpoint, else those of the config's test set.

    Args:
        checkpoint: content of the file.
        cfg: config of the model.
        path: path of the checkpoint, for messages.

    Raises:
        ValueError: neither names the classes, or the config's set has another number of classes than the model.
    """
    classes, palette = classes_of_checkpoint(checkpoint), palette_of_checkpoint(checkpoint)
    if classes is None:
        loader = cfg.get("test_dataloader") or cfg.get("val_dataloader")
        classes, palette = classes_of(loader), _palette_of(loader)
        if classes is None:
            raise InvalidConfigError(
                f"neither {path} (meta.dataset_meta) nor the config says which classes the model knows: give the"
                " config or the `data` that it was trained with",
                code="E-config-unknown-classes",
            )
        for key, head in counting_heads(cfg.model):
            if head["num_classes"] != len(classes):
                raise InvalidConfigError(
                    f"{path} does not say which classes it knows, and {name_of(loader)} has {len(classes)} where"
                    f" {key}.num_classes is {head['num_classes']}: give the `data` that it was trained with",
                    code="E-config-classes",
                )
    if palette is None or len(palette) != len(classes):
        palette = distinct_colors(len(classes))
    return tuple(classes), tuple((red, green, blue) for red, green, blue in palette)


def _palette_of(loader: ConfigDict | None) -> Sequence | None:
    if loader is None:
        return None
    dataset = inner_datasets(loader.dataset)[0]
    if dataset.get("metainfo", {}).get("palette") is not None:
        return dataset.metainfo.palette
    if dataset.type == "FolderSegDataset":
        return read_dataset_file(dataset.dataset_file).palette
    return getattr(_registered_class(dataset), "METAINFO", {}).get("palette")


def check_classes(cfg: Config, path: Path) -> None:
    """Check that joined data sets have the same classes, and that the heads have as many.

    Args:
        cfg: with all options applied.
        path: its file, for the messages.

    Raises:
        ValueError: sets of different classes are joined, or a head has another number of classes than any of the sets.
    """
    loaders = {name: loader for name in LOADERS if (loader := cfg.get(name)) is not None}
    for name, loader in loaders.items():
        _check_joined(loader.dataset, f"{path}: {name}")
    classes_of_loaders = [classes_of(loader) for loader in loaders.values()]
    counts = {len(classes) for classes in classes_of_loaders if classes is not None}
    for key, head in counting_heads(cfg.model):
        if counts and None not in classes_of_loaders and head["num_classes"] not in counts:
            sentence = _describe_miscount(key, head, next(iter(loaders.values())))
            raise InvalidConfigError(f"{path}: {sentence}", code="E-config-classes")


def set_num_classes_of_mask_loaders(cfg: Config) -> None:
    """Tell every LoadTrainIds how many classes its data set has. Modifies `cfg`."""
    for name in LOADERS:
        classes = classes_of(cfg.get(name))
        if classes is None:
            continue
        for dataset in datasets_of(cfg, name):
            if dataset.type != "FolderSegDataset" and "pipeline" in dataset:
                dataset["pipeline"] = edited(dataset["pipeline"], partial(_with_num_classes, len(classes)))
    test_classes = classes_of(cfg.get("test_dataloader"))
    if "tta_pipeline" in cfg and test_classes is not None:
        cfg.tta_pipeline = edited(cfg.tta_pipeline, partial(_with_num_classes, len(test_classes)))


def _check_joined(dataset: ConfigDict, place: str) -> None:
    """Check that all data sets inside wrappers have the same classes: MMEngine takes those of the first for all."""
    known = [(part, classes) for part in inner_datasets(dataset) if (classes := _classes_of_dataset(part)) is not None]
    for part, classes in known[1:]:
        if classes != known[0][1]:
            names = [str(joined.get("dataset_file", joined.type)) for joined in (known[0][0], part)]
            raise InvalidConfigError(
                f"{place} joins {' and '.join(names)}, which have different classes:"
                f" {difference(known[0][1], classes)}; give all the same classes in the same order",
                code="E-config-classes",
            )


def check_training(cfg: Config) -> None:
    """Check that heads, class weights and validation set have the classes of the training set.

    Raises:
        ValueError: one of them does not; the first is named.
    """
    classes, val_classes = classes_of(cfg.get("train_dataloader")), classes_of(cfg.get("val_dataloader"))
    if classes is None:
        return
    for key, head in counting_heads(cfg.model):
        if head["num_classes"] != len(classes):
            raise InvalidConfigError(_describe_miscount(key, head, cfg.train_dataloader), code="E-config-classes")
        for place, loss, weights in class_weights(head, key):
            if len(weights) - len(classes) not in (0, int(may_weigh_no_object(place, loss))):
                raise InvalidConfigError(
                    f"{place} holds {len(weights)} weights, but {name_of(cfg.train_dataloader)} has"
                    f" {len(classes)} classes; give one per class, or None",
                    code="E-config-class-weights",
                )
    if val_classes is not None and val_classes != classes:
        raise InvalidConfigError(
            f"{name_of(cfg.train_dataloader)}, which trains, and {name_of(cfg.val_dataloader)}, which"
            f" validates, have different classes: {difference(classes, val_classes)}; they have to be the same",
            code="E-config-classes",
        )


def _describe_miscount(key: str, head: ConfigDict, loader: ConfigDict) -> str:
    classes = classes_of(loader) or ()
    return (
        f"{key}.num_classes is {head['num_classes']}, but {name_of(loader)} has {len(classes)} classes"
        f" ({listing(classes, 6)}); set it to {len(classes)}"
    )


def adapt_pipeline(steps: Any, rules: DatasetFile, bands: Bands | None = None) -> Any:
    """Return a pipeline that reads photographs and masks as a dataset.yaml says.

    Args:
        steps: of the pipeline.
        rules: of the dataset.yaml.
        bands: how its pictures are read if it has `bands`, from `choose_input`.
    """
    if bands is not None:
        steps = read_bands_in(steps, bands, rules.exif)
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


def use_load_photograph(cfg: Config) -> None:
    """Replace LoadImageFromFile by LoadPhotograph, which inference uses, in every pipeline. Modifies `cfg`."""
    for name in LOADERS:
        if (loader := cfg.get(name)) is not None:
            loader.dataset = edited(loader.dataset, _with_load_photograph)
    if "tta_pipeline" in cfg:
        cfg.tta_pipeline = edited(cfg.tta_pipeline, _with_load_photograph)


def _with_load_photograph(step: Mapping[str, Any]) -> dict[str, Any]:
    is_stock = step["type"] in ("LoadImageFromFile", "mmcv.LoadImageFromFile", "mmseg.LoadImageFromFile")
    return {**step, "type": "LoadPhotograph"} if is_stock and "file_client_args" not in step else dict(step)


def _with_num_classes(num_classes: int, step: Mapping[str, Any]) -> dict[str, Any]:
    return {"num_classes": num_classes, **step} if step["type"] == "LoadTrainIds" else dict(step)


def name_of(loader: ConfigDict) -> str:
    """Return the name of a dataloader's sets in messages: their dataset.yaml, else their type."""
    names = (str(dataset.get("dataset_file", dataset.type)) for dataset in inner_datasets(loader.dataset))
    return " + ".join(dict.fromkeys(names))


def difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """Describe the difference between two lists of classes."""
    only_ours = [name for name in ours if name not in theirs]
    only_theirs = [name for name in theirs if name not in ours]
    if not only_ours and not only_theirs:
        return "the same names in another order"
    by_side = {"first": only_ours, "second": only_theirs}
    return "; ".join(f"only the {side} has {listing(names, 6)}" for side, names in by_side.items() if names)
