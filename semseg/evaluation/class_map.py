"""Evaluate a model on a data set with other classes: `--map` maps each class of the model to one of the data set."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from semseg.checkpoints.description import classes_of as classes_of_checkpoint
from semseg.config.classes import classes_of, difference, name_of
from semseg.config.heads import set_num_classes
from semseg.config.hooks import replace_hook
from semseg.config.patch import Patch, changes
from semseg.datasets.dataset_keys import IGNORE
from semseg.errors import InvalidConfigError, MissingConfigError
from semseg.evaluation.options import ClassMapOptions
from semseg.labels import IGNORED
from semseg.system.path_lists import read_list_text
from semseg.system.wording import listing


def configure(cfg: Config, options: ClassMapOptions) -> Patch:
    """Give the model the classes of its checkpoint, and map its predictions to the classes of the data set.

    Raises:
        FileNotFoundError: the map does not exist.
        ValueError: the classes differ and there is no map; or the map has an unknown class, or a class is missing.
    """
    model_classes = classes_of_checkpoint(options.content)
    set_classes, where = classes_of(cfg.test_dataloader), name_of(cfg.test_dataloader)
    if options.map_path is None:
        if model_classes is not None and set_classes is not None and model_classes != set_classes:
            raise InvalidConfigError(
                f"{options.checkpoint} and {where} have other classes: {difference(model_classes, set_classes)};"
                " map them in a file, `map_path` FILE, or test on the classes that it was trained on",
                code="E-checkpoint-classes",
            )
        return Patch()
    if model_classes is None or set_classes is None:
        unknown = options.checkpoint if model_classes is None else where
        raise InvalidConfigError(f"`map_path`: {unknown} does not list its classes", code="E-config-class-map")
    train_ids = read_class_map(Path(options.map_path), model_classes, set_classes, where)

    def edit(edited: Config) -> None:
        set_num_classes(edited.model, len(model_classes))
        replace_hook(edited, dict(type="ClassMapHook", train_ids=train_ids))

    names = {**dict(enumerate(set_classes)), IGNORED: IGNORE}
    pairs = [f"{name} -> {names[train_id]}" for name, train_id in zip(model_classes, train_ids, strict=True)]
    return changes(cfg, edit, f"classes are mapped by {options.map_path}: {listing(pairs, 6)}")


def read_class_map(path: Path, model_classes: Sequence[str], set_classes: Sequence[str], set_name: str) -> list[int]:
    """Read the class of the data set for each class of a model.

    Args:
        path: a YAML file with lines `class of the model: class of the set, or ignore`; a class that both have needs no
            line.
        model_classes: class names in the order of the outputs of the model.
        set_classes: class names in the order of their train ids.
        set_name: name of the data set, for messages.

    Returns:
        The train id of the data set for each class of the model; 255 for classes that are ignored.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not such a table, has an unknown class, or a class is missing.
    """
    table = _read_table(path)
    targets = (*set_classes, IGNORE)
    for name, target in table.items():
        problem = None
        if name not in model_classes:
            problem = f"the model has no class {name!r}{_suggestion(name, model_classes)}"
        elif target not in targets:
            problem = f"{set_name} has no class {target!r}{_suggestion(target, targets)}"
        if problem:
            raise InvalidConfigError(f"{path}: {problem}", code="E-config-class-map")
    missing = [name for name in model_classes if name not in table and name not in set_classes]
    if missing:
        raise InvalidConfigError(
            f"{path} has no line for {listing(missing, 6)}; map it to a class, or to {IGNORE}",
            code="E-config-class-map",
        )
    train_ids = {**{name: train_id for train_id, name in enumerate(set_classes)}, IGNORE: IGNORED}
    return [train_ids[table.get(name, name)] for name in model_classes]


def _read_table(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        raise MissingConfigError(f"`map_path`: no file {path}", code="E-config-missing")
    try:
        table = yaml.safe_load(read_list_text(path)) or {}
    except yaml.YAMLError as error:
        raise InvalidConfigError(f"{path} is not YAML: {error}", code="E-config-class-map") from error
    if not isinstance(table, dict) or not all(isinstance(name, str) for row in table.items() for name in row):
        raise InvalidConfigError(
            f"{path}: expected lines of 'class of the model: class of the data set', or {IGNORE}",
            code="E-config-class-map",
        )
    return table


def _suggestion(name: str, names: Sequence[str]) -> str:
    similar = difflib.get_close_matches(name, names, 1, 0.6)
    return f"; did you mean {similar[0]!r}?" if similar else f"; it has {listing(names, 6)}"


@HOOKS.register_module()
class ClassMapHook(Hook):
    """Map every prediction of a test to train ids of the data set, before metrics and hooks use it.

    Args:
        train_ids: train id of the data set for each class of the model; 255: pixels of the class count as wrong.
    """

    def __init__(self, train_ids: Sequence[int]) -> None:
        self.train_ids = torch.tensor(train_ids)

    def before_test(self, runner: Runner) -> None:
        """Wrap the test step of the model, because the metric gets the predictions before any hook is called."""
        classes = runner.test_dataloader.dataset.metainfo["classes"]
        unmapped = [name for train_id, name in enumerate(classes) if train_id not in self.train_ids]
        if unmapped:
            runner.logger.info(f"no class of the model is mapped to {', '.join(unmapped)}: their IoU is 0")
        model: Any = runner.model
        predict = model.test_step

        def predict_and_map(data: Any) -> Sequence:
            samples = predict(data)
            for sample in samples:
                predicted = sample.pred_sem_seg.data
                sample.pred_sem_seg.data = self.train_ids.to(predicted.device)[predicted.long()]
            return samples

        model.test_step = predict_and_map
