"""Check that a checkpoint has as many classes as the config that will load it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from semseg.checkpoints.description import classes_of as classes_of_checkpoint
from semseg.checkpoints.description import description_of
from semseg.config.classes import classes_of, name_of
from semseg.errors import InvalidConfigError
from semseg.system.wording import listing

_LAST_LAYER = "decode_head.conv_seg.weight"


def check_class_count(cfg: Config, checkpoint: Path, content: Mapping[str, Any]) -> None:
    """Raise if the last layer of a checkpoint has another number of classes than the model of the config.

    Args:
        cfg: config of the model that will load the checkpoint.
        checkpoint: path of the checkpoint, for the message.
        content: content of the checkpoint.

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
        checkpoint_classes, config_classes = classes_of_checkpoint(content), classes_of(loader)
        raise InvalidConfigError(
            f"{checkpoint} holds a model of {len(rows)} classes{_in_brackets(checkpoint_classes)},"
            f" {where or 'the config'} has {expected}{_in_brackets(config_classes)}:"
            " use the config or the `data` that it was trained with"
            + (", or no config at all" if description_of(content, checkpoint) else ""),
            code="E-checkpoint-classes",
        )


def _in_brackets(classes: Sequence[str] | None) -> str:
    return f" ({listing(classes)})" if classes else ""
