"""Reduce a checkpoint to what others need: weights and description."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch

from semseg.checkpoints.description import description_of
from semseg.checkpoints.plain import from_json, plain, to_json
from semseg.checkpoints.reading import METADATA_KEY, checkpoint_stem, read_checkpoint
from semseg.system.atomic import atomic_path

_KEPT = ("dataset_meta", "semseg", "iter", "epoch")


class Published(NamedTuple):
    """The published files.

    Attributes:
        paths: a .pth and a .safetensors file, each with the first 8 digits of its own SHA-256 in its name.
        is_averaged: whether the weights are the moving average (EMA), which validation used.
        is_described: whether the file has a description, so that it can be used without a config.
    """

    paths: tuple[Path, Path]
    is_averaged: bool
    is_described: bool


def publish(path: str | Path, out_dir: str | Path | None = None, content: Mapping[str, Any] | None = None) -> Published:
    """Write the weights and the description of a checkpoint as `<name>-<8 of its SHA-256>`, .pth and .safetensors.

    The same checkpoint gives the same bytes under the same names. Of a run with a moving average (EMA), the averaged
    weights are published: EMAHook stores them as `state_dict`, and the weights in training as `ema_state_dict`.

    Args:
        path: of the checkpoint.
        out_dir: folder of the new files; default: the folder of the checkpoint.
        content: of the checkpoint, from `read_checkpoint`; default: it is read here.

    Raises:
        FileNotFoundError, ValueError: those of `read_checkpoint`.
    """
    path = Path(path)
    checkpoint = read_checkpoint(path) if content is None else content
    is_described = bool(description_of(checkpoint, path))
    # a file without description keeps all of its meta data, because it has no other
    meta = {key: value for key, value in checkpoint["meta"].items() if key in _KEPT or not is_described}
    text = to_json(plain(meta))
    # contiguous: after a training in the layout channels_last the weights have that layout too
    weights = {
        name: value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in checkpoint["state_dict"].items()
    }
    buffer = io.BytesIO()  # torch.save to a path would store the name of the file in the bytes
    torch.save({"meta": from_json(text), "state_dict": weights}, buffer)
    contents = {
        ".pth": buffer.getvalue(),
        ".safetensors": safetensors.torch.save(weights, {METADATA_KEY: text}),  # one key: their order is random
    }
    paths = {}
    for suffix, written in contents.items():
        digest = hashlib.sha256(written).hexdigest()[:8]
        target = Path(out_dir or path.parent) / f"{checkpoint_stem(path.resolve())}-{digest}{suffix}"
        with atomic_path(target) as temporary:
            temporary.write_bytes(written)
        paths[suffix] = target
    return Published((paths[".pth"], paths[".safetensors"]), "ema_state_dict" in checkpoint, is_described)
