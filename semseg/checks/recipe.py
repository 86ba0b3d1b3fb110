"""Check whether the parts of a recipe fit each other: crops, padding, strides, batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from semseg.checks.findings import Finding
from semseg.config.tree import heads, parts_with_type, type_name
from semseg.datasets.bands import LOADER
from semseg.system.machine import num_processes

_STEM_STRIDE = 4  # of a ResNet: its first convolution and its pooling
_POOLING_HEADS = {"PSPHead": (1, 2, 3, 6), "UPerHead": (1, 2, 3, 6), "APCHead": (1, 2, 3, 6)}  # default pool_scales
_IMAGE_POOLING_HEADS = ("ASPPHead", "DepthwiseSeparableASPPHead")  # always pool to 1x1
_BATCH_NORMS = ("BN", "BN2d", "SyncBN", "MMSyncBN")


def check_recipe(cfg: Config) -> list[Finding]:
    """Compare values of a config that depend on each other, without building anything.

    Args:
        cfg: from `for_training`.
    """
    return [
        *_check_padding(cfg),
        *_check_stride(cfg),
        *_check_batch_of_one(cfg),
        *_check_channels(cfg),
        *_check_losses(cfg),
    ]


def find_crop_sizes(loader: dict) -> list[tuple[int, int]]:
    """Return the crop sizes (height, width) of the pipelines of a dataloader."""
    sizes = [step["crop_size"] for step in parts_with_type(loader.get("dataset")) if _is_crop(step)]
    return [_to_pair(size) for size in dict.fromkeys(tuple(s) if isinstance(s, list) else s for s in sizes)]


def find_first_step(loader: dict, kind: str) -> dict | None:
    """Return the first transform of a type in the pipelines of a dataloader."""
    return next((step for step in parts_with_type(loader.get("dataset")) if step.get("type") == kind), None)


def _check_padding(cfg: Config) -> Iterator[Finding]:
    """Compare the crop with the size that MMSegmentation's preprocessor pads a training batch to."""
    preprocessor = cfg.model.get("data_preprocessor") or {}
    if preprocessor.get("type") != "SegDataPreProcessor":
        return
    size, divisor = preprocessor.get("size"), preprocessor.get("size_divisor")
    crops = find_crop_sizes(cfg.train_dataloader)
    if (size is None) == (divisor is None):
        wanted = f"model.data_preprocessor.size={_format_option(crops[0])}" if crops else "model.data_preprocessor.size"
        message = (
            f"model.data_preprocessor has {'neither' if size is None else 'both'} of size and size_divisor, and"
            f" padding takes one; set {wanted}" + (" and size_divisor=None" if size is not None else "")
        )
        yield Finding("error", "padding", "train", 1, 1, message)
        return
    for crop in crops if size is not None else ():
        size = _to_pair(size)
        if crop[0] > size[0] or crop[1] > size[1]:
            message = (
                f"crops of {_format_size(crop)} (height x width) do not fit into model.data_preprocessor.size"
                f" {_format_size(size)}: an image that is smaller than the crop could not be stacked with the others;"
                f" set model.data_preprocessor.size={_format_option(crop)}"
            )
            yield Finding("error", "crop", "train", 1, 1, message)
        elif crop != size:
            share = 1 - crop[0] * crop[1] / (size[0] * size[1])
            message = (
                f"crops of {_format_size(crop)} (height x width) are padded to model.data_preprocessor.size"
                f" {_format_size(size)}: {share:.0%} of what the network sees is padding; set"
                f" model.data_preprocessor.size={_format_option(crop)}"
            )
            yield Finding("warning", "crop", "train", 1, 1, message)


def _check_stride(cfg: Config) -> Iterator[Finding]:
    """Check that the crop is a multiple of the stride of a ResNet."""
    backbone = cfg.model.get("backbone") or {}
    strides = backbone.get("strides")
    if strides is None or not str(backbone.get("type")).startswith("Res"):
        return
    stride = _STEM_STRIDE * math.prod(strides[: backbone.get("num_stages", len(strides))])
    aligned = any(head.get("align_corners") for head in heads(cfg.model))
    size = (cfg.model.get("data_preprocessor") or {}).get("size")
    for crop in [_to_pair(size)] if size is not None else find_crop_sizes(cfg.train_dataloader):
        # with align_corners a side may also be a multiple plus one, as in 769x769: then the corners coincide
        if any(side % stride not in ((0, 1) if aligned else (0,)) for side in crop):
            better = [max(stride, round(side / stride) * stride) for side in crop]
            message = (
                f"the network sees {_format_size(crop)} (height x width) and has one feature for {stride}x{stride}"
                f" pixels: the last row or column of features is partly outside; crop to"
                f" {_format_size((better[0], better[1]))}"
            )
            yield Finding("warning", "stride", "train", 1, 1, message)


def _check_batch_of_one(cfg: Config) -> Iterator[Finding]:
    """Find batch norm over one value per channel: a batch of one, pooled to one pixel."""
    if cfg.train_dataloader.get("batch_size") != 1:
        return
    for head in heads(cfg.model):
        norm = (head.get("norm_cfg") or {}).get("type")
        shared = norm in ("SyncBN", "MMSyncBN") and num_processes(cfg.get("launcher", "none")) > 1
        scales = head.get("pool_scales", _POOLING_HEADS.get(head.get("type"), ()))
        if norm in _BATCH_NORMS and not shared and (1 in scales or head.get("type") in _IMAGE_POOLING_HEADS):
            message = (
                f"{head.type} pools each image to 1x1, and batch norm cannot learn from the one value per channel"
                " that a batch of 1 leaves; set train_dataloader.batch_size=2 or more, or norm_cfg=dict(type='GN',"
                " num_groups=32) in the head"
            )
            yield Finding("error", "batch-of-one", "train", 1, 1, message)
            return


def _check_channels(cfg: Config) -> Iterator[Finding]:
    """Compare the length of `mean` and `std` with the number of channels of a picture."""
    preprocessor = cfg.model.get("data_preprocessor") or {}
    loaders = [part for part in parts_with_type(cfg.train_dataloader) if type_name(part) == LOADER]
    count = len(loaders[0]["bands"]) if loaders else 3
    for key in ("mean", "std"):
        values = preprocessor.get(key)
        if values is not None and len(values) not in (1, count):
            what = "the pictures" if loaders else "photographs"
            message = (
                f"model.data_preprocessor.{key} has {len(values)} values, and {what} {count} channels: give {count}"
            )
            yield Finding("error", "channels", "train", 1, 1, message)


def _check_losses(cfg: Config) -> Iterator[Finding]:
    """Find cross entropies that do not fit the channels of their head, or their own class weights."""
    for key in ("decode_head", "auxiliary_head"):
        head_configs = cfg.model.get(key) or []
        is_list = isinstance(head_configs, (list, tuple))
        for i, head in enumerate(head_configs if is_list else [head_configs]):
            place = f"model.{key}.{i}" if is_list else f"model.{key}"
            losses = head.get("loss_decode") or []
            for loss in losses if isinstance(losses, (list, tuple)) else [losses]:
                if not str(loss.get("type")).endswith("CrossEntropyLoss"):
                    continue
                if head.get("out_channels") == 1 and not loss.get("use_sigmoid"):
                    message = (
                        f"{place} has out_channels=1, and the softmax of its CrossEntropyLoss needs one channel per"
                        f" class; set use_sigmoid=True in its loss_decode, or leave out_channels out"
                    )
                    yield Finding("error", "one-channel", "train", 1, 1, message)
                if loss.get("use_sigmoid") and loss.get("class_weight") is not None:
                    message = (
                        f"{place}: MMSegmentation's CrossEntropyLoss with use_sigmoid=True cannot weigh classes; set"
                        " class_weight=None in its loss_decode, or use_sigmoid=False"
                    )
                    yield Finding("error", "weighted-sigmoid", "train", 1, 1, message)


def _is_crop(step: dict) -> bool:
    return str(step["type"]).endswith("Crop") and "crop_size" in step


def _to_pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


def _format_size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _format_option(size: tuple[int, int]) -> str:
    return f"{size[0]},{size[1]}"
