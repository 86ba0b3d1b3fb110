"""Write an ensemble as one checkpoint, which describes itself and is used as any other."""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from semseg.checkpoints.description import classes_of, description_of
from semseg.checkpoints.facts import command_line, now
from semseg.checkpoints.plain import plain
from semseg.checkpoints.reading import is_checkpoint, model_weights, read_checkpoint
from semseg.config.from_checkpoint import existing_checkpoint
from semseg.errors import InvalidCheckpointError, InvalidInputError, MissingCheckpointError
from semseg.system.atomic import atomic_path

_SAME = ("classes", "palette", "label_map")
_TRAINING_ONLY = ("auxiliary_head", "train_cfg", "pretrained", "init_cfg", "data_preprocessor")
_FOLD = re.compile(r"fold_(\d+)")


def find_members(sources: Sequence[str | Path]) -> list[Path]:
    """Return the checkpoints of an ensemble: files, and for a folder of `train --folds` the last one of each fold.

    Raises:
        FileNotFoundError: a file is missing, or a folder has no fold that is trained.
        ValueError: there is a single one.
    """
    members: list[Path] = []
    for source in map(Path, sources):
        if not source.is_dir():
            members.append(existing_checkpoint(source))
            continue
        folds = sorted((int(match[1]), path) for path in source.iterdir() if (match := _FOLD.fullmatch(path.name)))
        found = [path / "last.pth" for _, path in folds if (path / "last.pth").is_file()]
        if not found:
            raise MissingCheckpointError(
                f"{source} has no fold_*/last.pth; expected the work folder of train --folds",
                code="E-checkpoint-missing",
            )
        members += found
    if len(members) < 2:
        raise InvalidInputError(
            f"an ensemble needs two or more checkpoints, got {len(members)}", code="E-input-required"
        )
    return members


def write_ensemble(paths: Sequence[Path], out: Path) -> Path:
    """Write a checkpoint whose model is an EnsembleSegmentor with the weights of all checkpoints.

    Everything that is not the model, such as the data to test on, is that of the first checkpoint.

    Args:
        paths: checkpoints that describe themselves, of EncoderDecoder models with the same classes and input.
        out: the file to write.

    Raises:
        FileNotFoundError, ValueError: a checkpoint cannot be read, does not describe itself, or does not fit the first.
    """
    if not is_checkpoint(out) or out.suffix == ".safetensors":
        raise InvalidInputError(f"`out` {out}: expected a name that ends with .pth", code="E-input-value")
    weights: dict[str, torch.Tensor] = {}
    models: list[dict[str, Any]] = []
    first: Mapping[str, Any] = {}
    for i, path in enumerate(paths):
        content = read_checkpoint(path)
        description = _described(content, path)
        if i == 0:
            first = content
        else:
            _check_fits(content, path, first, paths[0])
        model = copy.deepcopy(description["config"]["model"])
        models.append({key: value for key, value in model.items() if key not in _TRAINING_ONLY})
        weights |= {
            f"members.{i}.{name}": value
            for name, value in model_weights(content["state_dict"]).items()
            if not name.startswith("auxiliary_head.")
        }
    description = copy.deepcopy(dict(_described(first, paths[0])))
    original = description["config"]["model"]
    description["config"]["model"] = {
        "type": "EnsembleSegmentor",
        "data_preprocessor": original.get("data_preprocessor") or description["config"].get("data_preprocessor"),
        "members": models,
        "test_cfg": original.get("test_cfg"),
    }
    description |= {
        "command": command_line(),
        "time": now(),
        "metrics": None,
        "ensemble": [str(path) for path in paths],
    }
    meta = {key: value for key, value in first["meta"].items() if key in ("dataset_meta", "iter", "epoch")}
    buffer = io.BytesIO()  # PyTorch's own writer does not say why it failed
    torch.save({"meta": plain({**meta, "semseg": description}), "state_dict": weights}, buffer)
    with atomic_path(out) as temporary:
        temporary.write_bytes(buffer.getbuffer())
    return out


def _described(content: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    description = description_of(content, path)
    model = (description.get("config") or {}).get("model")
    if not isinstance(model, dict):
        raise InvalidCheckpointError(
            f"{path} does not describe its model; an ensemble is made of checkpoints of this project",
            code="E-checkpoint-description",
        )
    if model.get("type") != "EncoderDecoder" or isinstance(model.get("decode_head"), list):
        raise InvalidCheckpointError(
            f"{path} holds a {model.get('type')}; an ensemble needs EncoderDecoder models with one head",
            code="E-checkpoint-mismatch",
        )
    return description


def _check_fits(content: Mapping[str, Any], path: Path, first: Mapping[str, Any], first_path: Path) -> None:
    """Raise unless two checkpoints predict the same classes from the same input."""
    own, expected = _described(content, path), _described(first, first_path)
    if classes_of(content) != classes_of(first) or any(own.get(key) != expected.get(key) for key in _SAME):
        raise InvalidCheckpointError(
            f"{path} and {first_path} have different classes; an ensemble needs the same", code="E-checkpoint-classes"
        )
    for what, value_of in (("input normalisation", _preprocessor), ("test pipeline", _pipeline)):
        if plain(value_of(own)) != plain(value_of(expected)):
            raise InvalidCheckpointError(
                f"{path} and {first_path} have another {what}; an ensemble needs the same for all",
                code="E-checkpoint-mismatch",
            )


def _preprocessor(description: Mapping[str, Any]) -> Any:
    config = description["config"]
    own = config["model"].get("data_preprocessor") or config.get("data_preprocessor") or {}
    return {key: own.get(key) for key in ("type", "mean", "std", "bgr_to_rgb", "rgb_to_bgr", "test_cfg")}


def _pipeline(description: Mapping[str, Any]) -> Any:
    loader = description["config"].get("test_dataloader") or {}
    return (loader.get("dataset") or {}).get("pipeline")
