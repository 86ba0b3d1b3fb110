"""Replace the data sets of a config by those of one or several dataset.yaml files: `data` of `load_config`."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from semseg.config.bands import Input, choose_input, describe_distortion, loader_of
from semseg.config.classes import adapt_pipeline, classes_of, difference
from semseg.config.heads import set_num_classes, set_vocabulary
from semseg.config.ignored import set_ignored
from semseg.config.in_channels import set_input
from semseg.config.log import warn
from semseg.config.sizes import fit_sizes
from semseg.config.trained_sizes import sizes_of, take_sizes
from semseg.config.tree import (
    as_list,
    class_weights,
    counting_heads,
    datasets_of,
    first_pipeline,
    inner_datasets,
    may_weigh_no_object,
    type_name,
    walk,
)
from semseg.config.views import follow_test, scale_of_test
from semseg.config.wrappers import kept_wrappers, wrap
from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.picture_sizes import Picture, sample_pictures
from semseg.errors import InvalidConfigError
from semseg.system.wording import listing

_SPLITS = {"train": ("train",), "val": ("val", "test"), "test": ("test", "val")}  # by step, the preferred one first
_NO_CLASSES = ("DepthEstimator",)
_OTHER_INPUT = (  # loaders of MMSegmentation for something else than one photograph
    "LoadImageFromNpyFile",
    "LoadMultipleRSImageFromFile",
    "LoadSingleRSImageFromFile",
    "LoadBiomedicalImageFromFile",
    "LoadBiomedicalData",
)
_OWN_SET_METRICS = ("CityscapesMetric",)  # that read files beside the masks of one data set
_MAX_NAMES = 4  # of data sets, in the name of a folder


def use_dataset_files(cfg: Config, paths: Sequence[str | Path], checkpoint: Mapping[str, Any] | None = None) -> None:
    """Make a config train, validate and test on the sets of one or several dataset.yaml files. Modifies `cfg`.

    Training uses the split `train`; validation `val`, else `test`; testing `test`, else `val`. The pipelines
    stay, except their loaders and sizes, see `fit_sizes`. Every head gets as many classes as the sets have, see
    `set_num_classes`; a warning lists what is removed or replaced. Several sets are read one after the other, as one
    set; a set with neither `val` nor `test` is used for training only. A wrapper with a pipeline of its own, such as
    MultiImageMixDataset, stays, and with it all sizes; other wrappers, such as RepeatDataset, are left out.

    Args:
        cfg: from a file.
        paths: of the dataset.yaml files.
        checkpoint: content of the checkpoint that the config is for: pictures are scaled as in its training, whatever
            their sizes are. None: a training begins.

    Raises:
        FileNotFoundError, ValueError: those of `read_dataset_file`; a file is given twice, or sets have different
            classes, or the model does not predict classes, or the config does not read photographs, or a
            wrapper with a pipeline contains only some of the sets.
    """
    _check_given_once(paths)
    rules_of = {str(path): read_dataset_file(path) for path in paths}
    if cfg.model.get("type") in _NO_CLASSES:
        raise InvalidConfigError(
            f"`data` {paths[0]} has classes, and model.type {cfg.model.type!r} does not predict classes",
            code="E-config-no-classes",
        )
    _check_input(cfg, paths[0])
    _check_same_classes(rules_of)
    changes = _describe_kept_weights(cfg, next(iter(rules_of.values())))
    chosen = choose_input(cfg, rules_of, checkpoint)
    if chosen is not None:
        changes += [*set_input(cfg, chosen), *describe_distortion(cfg)]
    plugins = "semseg.plugins"
    imports = cfg.get("custom_imports", {}).get("imports", [])
    if plugins not in imports:  # a config from elsewhere
        cfg.custom_imports = {"imports": [*imports, plugins], "allow_failed_imports": False}
    import_modules_from_strings([plugins])
    mixing: list[str] = []
    first_path, first = next(iter(rules_of.items()))
    bands = None if chosen is None else chosen.bands_of[first_path]
    for step, splits in _SPLITS.items():
        loader = cfg.get(f"{step}_dataloader")
        if loader is None:
            continue
        pipeline = first_pipeline(cfg, f"{step}_dataloader")
        with_split = [path for path, rules in rules_of.items() if rules.splits.keys() & set(splits)]
        used = with_split if step == "val" and with_split else rules_of  # `check_split` reports a missing split
        datasets = [_dataset(path, rules_of[path], splits, pipeline, chosen) for path in used]
        # colours may differ from set to set: those of the first are used for all
        joined = dict(type="ConcatDataset", datasets=datasets, ignore_keys=["palette"])
        wrappers = kept_wrappers(loader.dataset, f"{step}_dataloader.dataset")
        mixing += [f"{step}_dataloader ({type_name(wrapper)})" for wrapper in wrappers if "pipeline" in wrapper]
        loader["dataset"] = wrap(datasets[0] if len(datasets) == 1 else joined, wrappers, first, bands)
    if "tta_pipeline" in cfg:
        cfg.tta_pipeline = adapt_pipeline(cfg.tta_pipeline, first, bands)
    changes += set_num_classes(cfg.model, len(first.classes))
    changes += set_vocabulary(cfg.model, first.classes)
    changes += set_ignored(cfg)
    changes += _use_counting_metric(cfg)
    step_before = scale_of_test(cfg)
    if checkpoint is None:
        pictures = sample_pictures(list(rules_of.values()), ("train", "val", "test"))
        if mixing:
            changes.append(f"all sizes of the config stay, as a pipeline outside of the sets uses them: {mixing[0]}")
        else:
            changes += fit_sizes(cfg, pictures)
        changes += _describe_normalisation(cfg, pictures) if chosen is None else []
    else:
        changes += take_sizes(cfg, sizes_of(checkpoint))
    follow_test(cfg, step_before)
    for change in changes:
        warn("data: %s", change)


def _describe_kept_weights(cfg: Config, rules: DatasetFile) -> list[str]:
    """Return which class weights stay although the config's own set has as many, but different, classes."""
    try:
        own = classes_of(cfg.get("train_dataloader"))
    except ValueError:  # a data set of another project, which is replaced
        return []
    if own is None or own == rules.classes or len(own) != len(rules.classes):
        return []
    kept = [
        place
        for key, head in counting_heads(cfg.model)
        for place, loss, weights in class_weights(head, key)
        if len(weights) - len(own) in (0, int(may_weigh_no_object(place, loss))) and len(set(weights[: len(own)])) > 1
    ]
    if not kept:
        return []
    return [f"{', '.join(kept)} stays as it is: {len(own)} numbers, made for other classes ({listing(own, 6)})"]


def _check_input(cfg: Config, path: str | Path) -> None:
    for step in ("train", "val", "test"):
        for dataset in datasets_of(cfg, f"{step}_dataloader"):
            for _, part in walk(dataset.get("pipeline", [])):
                if isinstance(part, dict) and type_name(part) in _OTHER_INPUT:
                    raise InvalidConfigError(
                        f"`data` {path} holds photographs, and {step}_dataloader reads other files with"
                        f" {type_name(part)}: take a config whose pipelines begin with LoadImageFromFile",
                        code="E-config-input",
                    )


def _use_counting_metric(cfg: Config) -> list[str]:
    """Replace metrics that work with one data set only. Modifies `cfg`; returns what was replaced."""
    changes = []
    for name in ("val_evaluator", "test_evaluator"):
        for evaluator in as_list(cfg.get(name)):
            if type_name(evaluator) in _OWN_SET_METRICS:
                changes.append(f"{name} counts IoU instead of {type_name(evaluator)}, which needs its own data set")
                evaluator.clear()
                evaluator.update(type="IoUMetric", iou_metrics=["mIoU"])
    return changes


def _describe_normalisation(cfg: Config, pictures: Sequence[Picture]) -> list[str]:
    """Return how photographs of 16 bits or one band are normalised: the network does not see the stored values."""
    kinds = ["16 bits"] * any(picture.bits > 8 for picture in pictures)
    kinds += ["one band"] * any(picture.bands == 1 for picture in pictures)
    preprocessor = cfg.model.get("data_preprocessor") or {}
    mean, std = preprocessor.get("mean"), preprocessor.get("std")
    if not kinds or mean is None:
        return []
    return [
        f"photographs of {' or '.join(kinds)} are read as RGB from 0 to 255, and normalised with the mean {list(mean)}"
        f" and std {list(std or [])} of the config, which pretrained weights expect"
    ]


def set_name(path: str | Path) -> str:
    """Return the name of a set in names of folders: that of its file, or of its folder if the file is dataset.yaml."""
    path = Path(path).resolve()
    return (path.parent.name if path.stem == "dataset" else path.stem) or "data"


def dataset_name(dataset: Any) -> str:
    """Return the name of the data of a loader, in names of folders and in texts.

    It is that of its dataset.yaml, see `set_name`, or of the folder of its data; `data` if there is none. Several sets
    are joined, see `join_set_names`.

    Args:
        dataset: config of a data set or wrapper.
    """
    sets = inner_datasets(dataset)
    sources = [str(part.get("dataset_file") or part.get("data_root") or "data") for part in sets]
    names = [
        set_name(source) if part.get("dataset_file") else Path(source).resolve().name or "data"
        for part, source in zip(sets, sources, strict=True)
    ]
    return join_set_names(names, sources)


def join_set_names(names: Sequence[str], sources: Sequence[str]) -> str:
    """Return the name of several sets in names of folders.

    Args:
        names: of each set.
        sources: path of each set, which distinguishes sets with the same name.
    """
    distinct = [name for _, name in dict.fromkeys(zip(sources, names, strict=True))]
    if len(distinct) > _MAX_NAMES:
        digest = zlib.crc32("\n".join(sources).encode())
        distinct[_MAX_NAMES - 1 :] = [f"{len(distinct) - _MAX_NAMES + 1}_more-{digest:08x}"]
    return "+".join(distinct)


def views_pipeline(cfg: Config, dataset: dict) -> Any:
    """Return the `tta_pipeline` of a config for a data set: photographs are turned as its dataset.yaml says."""
    if dataset.get("type") != "FolderSegDataset":
        return cfg.tta_pipeline
    return adapt_pipeline(cfg.tta_pipeline, read_dataset_file(dataset["dataset_file"]), loader_of(dataset))


def check_split(cfg: Config, name: str, stand_in: str = "") -> None:
    """Check that the sets have the split that a step needs; warn if another split is used instead.

    Args:
        cfg: from `load_config`.
        name: train, val or test: the loader and the split.
        stand_in: the split that may be used instead.

    Raises:
        ValueError: a set has neither.
    """
    step = {"train": "training", "val": "validating", "test": "testing"}[name]
    needed = "testing" if name == "test" else "training"
    for dataset in _dataset_files_in(cfg, name):
        path, splits = dataset.dataset_file, read_dataset_file(dataset.dataset_file).splits
        if dataset.split not in splits:
            has = ", ".join(splits)
            instead = f", or {stand_in!r} instead" if stand_in else ""
            raise InvalidConfigError(
                f"{path} has no split {dataset.split!r}, only {has}; {needed} needs it{instead}", code="E-config-split"
            )
        if dataset.split == stand_in and name not in splits:
            warn("%s on split %r: %s has no %r", step, stand_in, path, name)
    if name == "val":
        trained, validated = (
            [dataset.dataset_file for dataset in _dataset_files_in(cfg, loader)] for loader in ("train", "val")
        )
        left_out = [path for path in trained if path not in validated]
        if left_out and validated and set(validated) < set(trained):
            warn("validating on %s only: %s has neither 'val' nor 'test'", *map(" + ".join, (validated, left_out)))


def _dataset(path: str, rules: DatasetFile, splits: Sequence[str], pipeline: Any, chosen: Input | None) -> dict:
    return {
        "type": "FolderSegDataset",
        "dataset_file": path,
        "split": next((split for split in splits if split in rules.splits), splits[0]),
        "pipeline": adapt_pipeline(pipeline, rules, None if chosen is None else chosen.bands_of[path]),
    }


def _check_given_once(paths: Sequence[str | Path]) -> None:
    seen: dict[Path, str] = {}
    for path in map(str, paths):
        real = Path(path).resolve()
        if real in seen:
            also = f", also as {seen[real]}" if seen[real] != path else ""
            raise InvalidConfigError(f"`data` {path} is given twice{also}", code="E-config-repeated")
        seen[real] = path


def _check_same_classes(rules_of: Mapping[str, DatasetFile]) -> None:
    (first_path, first), *others = rules_of.items()
    for path, rules in others:
        if rules.classes != first.classes:
            raise InvalidConfigError(
                f"`data`: {first_path} and {path} have different classes: {difference(first.classes, rules.classes)};"
                " sets that are used together have the same classes in the same order: give both the same list, and say"
                " in label_map which stored values mean which class",
                code="E-config-classes",
            )


def _dataset_files_in(cfg: Config, name: str) -> list[Any]:
    datasets = datasets_of(cfg, f"{name}_dataloader")
    return [dataset for dataset in datasets if dataset.get("type") == "FolderSegDataset"]
