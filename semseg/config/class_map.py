"""Between the classes of a checkpoint and those of the set that it is tested on."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

from semseg.checkpoints.description import classes_of as classes_of_checkpoint
from semseg.checkpoints.description import description_of
from semseg.config.classes import classes_of, difference, name_of, shortened
from semseg.config.heads import set_num_classes
from semseg.datasets.dataset_file import IGNORE
from semseg.errors import InvalidConfigError, MissingConfigError
from semseg.labels import IGNORED
from semseg.system.path_lists import read_list_text

_LAST_LAYER = "decode_head.conv_seg.weight"


def translate_classes(
    cfg: Config, checkpoint: Path, content: Mapping[str, Any], map_path: str | Path | None
) -> list[int] | None:
    """Compare the classes of a checkpoint and of the test set, and read the map between them.

    Args:
        cfg: whose test set it is. With a map, its heads get the classes of the checkpoint (in place).
        checkpoint: what is to be tested.
        content: what it holds.
        map_path: a YAML file, `class of the model: class of the set, or ignore`; a class that both have needs
            no line.

    Returns:
        With a map: the train id of the set by class of the model. None without.

    Raises:
        FileNotFoundError: no such map.
        ValueError: the classes differ and there is no map; or it names a class that doesn't exist, or misses
            one.
    """
    wanted, where = classes_of(cfg.test_dataloader), name_of(cfg.test_dataloader)
    known = classes_of_checkpoint(content)
    if map_path is None:
        if known is not None and wanted is not None and known != wanted:
            raise InvalidConfigError(
                f"{checkpoint} and {where} have other classes: {difference(known, wanted)}; say which is"
                " which in a file, --map FILE, or test on the classes that it was trained on"
            )
        return None
    if known is None or wanted is None:
        raise InvalidConfigError(f"--map: {checkpoint if known is None else where} does not say which classes it has")
    table = _read_map(Path(map_path))
    for name, target in table.items():
        if name not in known:
            raise InvalidConfigError(f"{map_path}: the model has no class {name!r}{_near(name, known)}")
        if target not in (*wanted, IGNORE):
            raise InvalidConfigError(f"{map_path}: {where} has no class {target!r}{_near(target, (*wanted, IGNORE))}")
    missing = [name for name in known if name not in table and name not in wanted]
    if missing:
        raise InvalidConfigError(f"{map_path} does not say what becomes of {shortened(missing)}; a class, or {IGNORE}")
    set_num_classes(cfg.model, len(known))
    train_ids = {**{name: train_id for train_id, name in enumerate(wanted)}, IGNORE: IGNORED}
    return [train_ids[table.get(name, name)] for name in known]


def check_class_count(cfg: Config, checkpoint: Path, content: Mapping[str, Any]) -> None:
    """Refuse a checkpoint whose last layer counts other classes than the config's.

    Args:
        cfg: whose model will load it.
        checkpoint: the file, for the message.
        content: what it holds.

    Raises:
        ValueError: the counts differ.
    """
    heads = cfg.model.get("decode_head")
    is_cascade = isinstance(heads, (list, tuple))
    for i, head in enumerate(heads if is_cascade else [heads or {}]):
        rows = content["state_dict"].get(f"decode_head.{i}.conv_seg.weight" if is_cascade else _LAST_LAYER)
        expected = head.get("out_channels") or head.get("num_classes")
        if rows is None or expected is None or len(rows) == expected:
            continue
        loader = cfg.get("test_dataloader")
        where = name_of(loader) if loader is not None and "dataset_file" in str(loader) else cfg.filename
        known, wanted = classes_of_checkpoint(content), classes_of(loader)
        raise InvalidConfigError(
            f"{checkpoint} holds a model of {len(rows)} classes{_in_brackets(known)}, {where or 'the config'} has"
            f" {expected}{_in_brackets(wanted)}: use the config or the --data that it was trained with"
            + (", or no config at all" if description_of(content, checkpoint) else "")
        )


def _in_brackets(classes: Sequence[str] | None) -> str:
    return f" ({shortened(classes, 3)})" if classes else ""


def _read_map(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise MissingConfigError(f"--map: no file {path}")
    try:
        table = yaml.safe_load(read_list_text(path)) or {}
    except yaml.YAMLError as error:
        raise InvalidConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(table, dict) or not all(isinstance(word, str) for row in table.items() for word in row):
        raise InvalidConfigError(f"{path}: expected lines of 'class of the model: class of the data set', or {IGNORE}")
    return table


def _near(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; it has {shortened(known)}"
