"""Fingerprints of the data that a model was trained on, and of its weights."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from semseg.config.tree import built_datasets


def data_fingerprint(datasets: Mapping[str, Any]) -> dict:
    """Return a fingerprint of the names and sizes of all files of a data set; no file is opened.

    The fingerprint is the SHA-256 of one line `<split>/<images, masks or rois>/<path><tab><bytes>` per file, sorted.
    Paths are relative to the folder that all images (or masks, or regions of interest) of a set share, so that the
    same set has the same fingerprint on every machine. If an image is replaced by another one of the same number of
    bytes, the fingerprint does not change.

    Args:
        datasets: by name of the split; datasets of MMSegmentation, which may be wrapped.

    Returns:
        `sha256`, and `images`: the number of images by split, 0 for a dataset that does not list its files; if there
        are regions of interest, also `rois`, their number.
    """
    lines, counts, num_rois = [], {}, 0
    for split, dataset in datasets.items():
        counts[split] = 0
        for part in built_datasets(dataset):
            infos = [part.get_data_info(i) for i in range(len(part))] if hasattr(part, "get_data_info") else []
            counts[split] += len(infos)
            num_rois += sum(bool(info.get("roi_path")) for info in infos)
            for kind, key in (("images", "img_path"), ("masks", "seg_map_path"), ("rois", "roi_path")):
                paths = sorted({os.path.abspath(info[key]) for info in infos if info.get(key)})  # noqa: PTH100
                shared = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""  # noqa: PTH120
                lines += [f"{split}/{kind}/{os.path.relpath(path, shared)}\t{_num_bytes(path)}" for path in paths]
    digest = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    return {"sha256": digest, "images": counts} | ({"rois": num_rois} if num_rois else {})


def weights_fingerprint(weights: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of the weights of a model: of names, types, shapes and all values, sorted by name.

    The hash is of the values, not of the file: a checkpoint of a training, which also holds the optimizer, and the
    .pth and .safetensors files that are published from it have the same one, whatever their description, the order of
    the weights, or the layout in memory. It takes about a second for 500 MB.

    Args:
        weights: `state_dict` from `read_checkpoint`; those of a moving average (EMA) if the file has one.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().cpu()
        digest.update(f"{name}\t{value.dtype}\t{tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def file_fingerprint(path: str | Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while part := file.read(1 << 22):
            digest.update(part)
    return digest.hexdigest()


def _num_bytes(path: str) -> int | str:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:  # on a server
        return "?"
