"""Read a checkpoint of any format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors import SafetensorError, safe_open

from semseg import compat
from semseg.checkpoints.plain import from_json
from semseg.errors import InvalidCheckpointError

SUFFIXES = (".pth", ".pth.tar", ".pt", ".ckpt", ".safetensors")
"""Suffixes of checkpoints, in upper or lower case."""
METADATA_KEY = "semseg"
"""Key of the description in the header of a safetensors file."""


def is_checkpoint(path: str | Path) -> bool:
    """Return whether a path names a checkpoint, by its suffix."""
    return Path(path).name.lower().endswith(SUFFIXES)


def checkpoint_stem(path: str | Path) -> str:
    """Return the name of a checkpoint without its suffix: `a` of `x/a.pth.tar`."""
    name = Path(path).name
    ends = [suffix for suffix in SUFFIXES if name.lower().endswith(suffix)]
    return name[: -len(max(ends, key=len))] if ends else Path(path).stem


def model_weights(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights of the model itself, under the names that they have there.

    Wrappers for several processes put `module.` before each name. EMAHook of MMCV, which MMSegmentation 0.x used,
    registers an average of each parameter, such as `ema_backbone_conv1_weight` of `backbone.conv1.weight`. These
    averages are left out: the validations of that version used the weights with the original names.
    """
    weights = {name.removeprefix("module."): value for name, value in stored.items()}
    averages = {f"ema_{name.replace('.', '_')}" for name in weights}
    return {name: value for name, value in weights.items() if name not in averages}


def read_checkpoint(path: str | Path, mmap: bool = False) -> dict[str, Any]:
    """Read a checkpoint to the CPU; no code in it is run, and a .safetensors file cannot hold any.

    Args:
        path: of the file.
        mmap: leave the weights on the disk until they are used; faster if few of them are needed.

    Returns:
        The content of the file. It always has `meta` and `state_dict`, which may be empty. `state_dict` is the result
        of `model_weights`; if averages were left out, `num_left_out` is their number.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is damaged, carries code, or holds no weights.
    """
    if Path(path).suffix.lower() == ".safetensors":
        return load_from_safetensors(str(path))
    loaded = compat.load_checkpoint_file(path, map_location="cpu", mmap=mmap)
    if not isinstance(loaded, dict):
        raise InvalidCheckpointError(
            f"{path} holds no weights of a model, but a value of type {type(loaded).__name__}",
            code="E-checkpoint-no-weights",
        )
    if "state_dict" not in loaded:  # bare weights
        loaded = {"state_dict": loaded}
    weights = loaded["state_dict"]
    other_keys = [name for name, value in weights.items() if not isinstance(value, torch.Tensor)]
    if other_keys:
        raise InvalidCheckpointError(
            f"{path} holds no weights of a model: {other_keys[0]!r} is not a tensor", code="E-checkpoint-no-weights"
        )
    checkpoint = {**loaded, "meta": loaded.get("meta") or {}, "state_dict": model_weights(weights)}
    if len(checkpoint["state_dict"]) < len(weights):
        checkpoint["num_left_out"] = len(weights) - len(checkpoint["state_dict"])
    return checkpoint


# pyrefly: ignore[not-callable]  # without `loader`, it returns a decorator
@CheckpointLoader.register_scheme(prefixes=r".*\.(?i:safetensors)$")
def load_from_safetensors(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a safetensors file and return what a .pth file would hold. MMEngine's Runner calls it too."""
    return compat.read_once(filename, map_location, lambda: _load_safetensors(filename, map_location))


def _load_safetensors(filename: str, map_location: Any) -> dict[str, Any]:
    with Path(filename).open("rb"):  # raises FileNotFoundError, as for other files
        pass
    try:
        with safe_open(filename, framework="pt", device=str(map_location or "cpu")) as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            text = (file.metadata() or {}).get(METADATA_KEY, "{}")
    except SafetensorError as error:
        raise InvalidCheckpointError(
            f"{filename} is not a complete checkpoint ({error}); copy it again", code="E-checkpoint-damaged"
        ) from error
    try:
        meta = from_json(text)
    except ValueError as error:
        raise InvalidCheckpointError(
            f"{filename}: its description cannot be read ({error})", code="E-checkpoint-description"
        ) from error
    if not isinstance(meta, dict):
        raise InvalidCheckpointError(f"{filename}: its description is not a dict", code="E-checkpoint-description")
    return {"meta": meta, "state_dict": weights}
