"""Strip a checkpoint to what others need: weights and description."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch

from semseg.checkpoints.description import description_of
from semseg.checkpoints.plain import from_json, plain, to_json
from semseg.checkpoints.reading import METADATA_KEY, checkpoint_stem, read_checkpoint
from semseg.system.atomic import atomic_path

_KEPT = ("dataset_meta", "semseg", "iter", "epoch")


class Published(NamedTuple):
    """What was written.

    Attributes:
        paths: a .pth and a .safetensors, each with the start of the SHA-256 of its own bytes in its name.
        is_averaged: the weights are the moving average (EMA), which is what validation used.
        is_described: the file says enough to be used without a config.
    """

    paths: tuple[Path, Path]
    is_averaged: bool
    is_described: bool


def publish(path: str | Path, out_dir: str | Path | None = None) -> Published:
    """Write the weights and the description of a checkpoint as `<name>-<8 of its SHA-256>`, .pth and .safetensors.

    The same checkpoint gives the same bytes under the same names. Of a run with a moving average (EMA) its weights
    are taken: EMAHook stores them as `state_dict`, and those that it went on training as `ema_state_dict`.

    Args:
        path: of the checkpoint.
        out_dir: where to write; default: beside it.

    Raises:
        FileNotFoundError, ValueError: those of `read_checkpoint`.
    """
    path = Path(path)
    checkpoint = read_checkpoint(path)
    described = bool(description_of(checkpoint, path))
    # a file of MMEngine's keeps what it says, as nothing else does
    meta = {key: value for key, value in checkpoint["meta"].items() if key in _KEPT or not described}
    text = to_json(plain(meta))
    # contiguous: training in the layout channels_last leaves its mark on the weights
    weights = {
        name: value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in checkpoint["state_dict"].items()
    }
    buffer = io.BytesIO()  # in a file, its name would be part of the bytes
    torch.save({"meta": from_json(text), "state_dict": weights}, buffer)
    contents = {
        ".pth": buffer.getvalue(),
        ".safetensors": safetensors.torch.save(weights, {METADATA_KEY: text}),  # one key: their order is random
    }
    written = []
    for suffix, content in contents.items():
        digest = hashlib.sha256(content).hexdigest()[:8]
        target = Path(out_dir or path.parent) / f"{checkpoint_stem(path.resolve())}-{digest}{suffix}"
        with atomic_path(target) as temporary:
            temporary.write_bytes(content)
        written.append(target)
    return Published(tuple(written), "ema_state_dict" in checkpoint, described)
