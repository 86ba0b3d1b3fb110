"""Read a checkpoint, whatever its format."""

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
"""Of checkpoints, in any case."""
METADATA_KEY = "semseg"
"""Where the description stands in the header of a safetensors file."""


def is_checkpoint(path: str | Path) -> bool:
    """Return whether a path names a checkpoint, by its suffix."""
    return Path(path).name.lower().endswith(SUFFIXES)


def checkpoint_stem(path: str | Path) -> str:
    """Return the name of a checkpoint without its suffix: `a` of `x/a.pth.tar`."""
    name = Path(path).name
    ends = [suffix for suffix in SUFFIXES if name.lower().endswith(suffix)]
    return name[: -len(max(ends, key=len))] if ends else Path(path).stem


def model_weights(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what belongs to the model itself, by the names that it has there.

    Wrappers for several processes put `module.` before each name. EMAHook of MMCV, which MMSegmentation 0.x used,
    registers an average beside each parameter, `ema_backbone_conv1_weight` beside `backbone.conv1.weight`. These
    averages are left out: its validations used what has the plain name.
    """
    weights = {name.removeprefix("module."): value for name, value in stored.items()}
    averages = {f"ema_{name.replace('.', '_')}" for name in weights}
    return {name: value for name, value in weights.items() if name not in averages}


def read_checkpoint(path: str | Path, mmap: bool = False) -> dict[str, Any]:
    """Read a checkpoint to the CPU; no code in it is run, and a .safetensors file cannot hold any.

    Args:
        path: of the file.
        mmap: leave the weights on the disk until they are used; for a short look.

    Returns:
        What the file holds; with `meta` and `state_dict`, even if they are empty. The latter as `model_weights` gives
        it; if that has left averages out, their number is `num_left_out`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is damaged, carries code, or holds no weights.
    """
    if Path(path).suffix.lower() == ".safetensors":
        return load_from_safetensors(str(path))
    loaded = compat.load_checkpoint_file(path, map_location="cpu", mmap=mmap)
    if not isinstance(loaded, dict):
        raise InvalidCheckpointError(f"{path} holds no weights of a model, but one {type(loaded).__name__}")
    if "state_dict" not in loaded:  # bare weights
        loaded = {"state_dict": loaded}
    weights = loaded["state_dict"]
    strange = [name for name, value in weights.items() if not isinstance(value, torch.Tensor)]
    if strange:
        raise InvalidCheckpointError(f"{path} holds no weights of a model: {strange[0]!r} is no tensor")
    found = {**loaded, "meta": loaded.get("meta") or {}, "state_dict": model_weights(weights)}
    if len(found["state_dict"]) < len(weights):
        found["num_left_out"] = len(weights) - len(found["state_dict"])
    return found


@CheckpointLoader.register_scheme(prefixes=r".*\.(?i:safetensors)$")
def load_from_safetensors(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a safetensors file as if it were a .pth; the Runner comes here too."""
    with Path(filename).open("rb"):  # its own error for a file that is not there
        pass
    try:
        with safe_open(filename, framework="pt", device=str(map_location or "cpu")) as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            text = (file.metadata() or {}).get(METADATA_KEY, "{}")
    except SafetensorError as error:
        raise InvalidCheckpointError(f"{filename} is not a complete checkpoint ({error}); copy it again") from error
    try:
        meta = from_json(text)
    except ValueError as error:
        raise InvalidCheckpointError(f"{filename}: its description cannot be read ({error})") from error
    if not isinstance(meta, dict):
        raise InvalidCheckpointError(f"{filename}: its description is no table")
    return {"meta": meta, "state_dict": weights}
