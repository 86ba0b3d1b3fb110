"""A model of one label space, evaluated in another: `--map` says which class of the data set each class becomes."""

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
from semseg.datasets.dataset_file import IGNORE
from semseg.errors import InvalidConfigError, MissingConfigError
from semseg.evaluation.options import ClassMapOptions
from semseg.labels import IGNORED
from semseg.system.path_lists import read_list_text
from semseg.system.wording import listing


def configure(cfg: Config, options: ClassMapOptions) -> Patch:
    """Give the model the classes of its checkpoint, and translate its predictions into those of the data set.

    Raises:
        FileNotFoundError: no such map.
        ValueError: the classes differ and there is no map; or the map names a class that does not exist, or misses one.
    """
    model_classes = classes_of_checkpoint(options.content)
    set_classes, where = classes_of(cfg.test_dataloader), name_of(cfg.test_dataloader)
    if options.map_path is None:
        if model_classes is not None and set_classes is not None and model_classes != set_classes:
            raise InvalidConfigError(
                f"{options.checkpoint} and {where} have other classes: {difference(model_classes, set_classes)}; say"
                " which is which in a file, `map_path` FILE, or test on the classes that it was trained on",
                code="E-checkpoint-classes",
            )
        return Patch()
    if model_classes is None or set_classes is None:
        silent = options.checkpoint if model_classes is None else where
        raise InvalidConfigError(f"`map_path`: {silent} does not say which classes it has", code="E-config-class-map")
    train_ids = read_class_map(Path(options.map_path), model_classes, set_classes, where)

    def edit(edited: Config) -> None:
        set_num_classes(edited.model, len(model_classes))
        replace_hook(edited, dict(type="ClassMapHook", train_ids=train_ids))

    return changes(cfg, edit)


def read_class_map(path: Path, model_classes: Sequence[str], set_classes: Sequence[str], set_name: str) -> list[int]:
    """Read which class of a data set each class of a model becomes.

    Args:
        path: a YAML file, `class of the model: class of the set, or ignore`; a class that both have needs no line.
        model_classes: in the order of the model's outputs.
        set_classes: in the order of their train ids.
        set_name: of the data set, for messages.

    Returns:
        The train id by class of the model; 255 for classes that are ignored.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not such a table, names a class that does not exist, or misses one.
    """
    table = _read_table(path)
    targets = (*set_classes, IGNORE)
    for name, target in table.items():
        problem = None
        if name not in model_classes:
            problem = f"the model has no class {name!r}{_near(name, model_classes)}"
        elif target not in targets:
            problem = f"{set_name} has no class {target!r}{_near(target, targets)}"
        if problem:
            raise InvalidConfigError(f"{path}: {problem}", code="E-config-class-map")
    missing = [name for name in model_classes if name not in table and name not in set_classes]
    if missing:
        raise InvalidConfigError(
            f"{path} does not say what becomes of {listing(missing, 6)}; a class, or {IGNORE}",
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
    if not isinstance(table, dict) or not all(isinstance(word, str) for row in table.items() for word in row):
        raise InvalidConfigError(
            f"{path}: expected lines of 'class of the model: class of the data set', or {IGNORE}",
            code="E-config-class-map",
        )
    return table


def _near(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; it has {listing(known, 6)}"


@HOOKS.register_module()
class ClassMapHook(Hook):
    """Translate every prediction of a test before metrics and hooks use it.

    Args:
        train_ids: train id of the data set for each class of the model; 255 for none: such a pixel counts as wrong.
    """

    def __init__(self, train_ids: Sequence[int]) -> None:
        self.train_ids = torch.tensor(train_ids)

    def before_test(self, runner: Runner) -> None:
        """Wrap the model's test step, because the metric gets the predictions before any hook is called."""
        classes = runner.test_dataloader.dataset.metainfo["classes"]
        unreached = [name for train_id, name in enumerate(classes) if train_id not in self.train_ids]
        if unreached:
            runner.logger.info(f"no class of the model becomes {', '.join(unreached)}: their IoU is 0")
        model: Any = runner.model
        predict = model.test_step

        def predict_and_translate(data: Any) -> Sequence:
            samples = predict(data)
            for sample in samples:
                predicted = sample.pred_sem_seg.data
                sample.pred_sem_seg.data = self.train_ids.to(predicted.device)[predicted.long()]
            return samples

        model.test_step = predict_and_translate
