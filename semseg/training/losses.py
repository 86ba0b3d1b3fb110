"""Another loss, and class weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from semseg.checks.gate import check_before_run
from semseg.config.class_weights import check_class_weights, fill_in_class_weights, needs_class_counts
from semseg.config.patch import Patch, changes
from semseg.config.rare_crops import CROPS
from semseg.config.tree import as_list, heads, inner_datasets, type_name
from semseg.errors import InvalidConfigError
from semseg.training.options import LossOptions

_OHEM_SHARE = 100_000 / (512 * 1024)  # of a crop; as in MMSegmentation's Cityscapes configs
_REPLACED = {"CrossEntropyLoss", "FocalLoss", "TverskyLoss", "DiceLoss", "LovaszLoss", "StridedLovaszLoss"}
_WEIGHTED = {"CrossEntropyLoss", "FocalLoss"}
_POINT_HEADS = {"PointHead"}  # their losses take selected points, not images


def configure(cfg: Config, options: LossOptions) -> Patch:
    """Set the loss of the head that predicts, and turn class weights into numbers.

    `ce`, `ohem`, `focal`, `dice` and `lovasz` are for the decode head; the last two are added to the cross entropy.
    Auxiliary heads keep their losses. Class weights are set in the cross entropy or focal loss of every head; an
    `auto` of the config becomes numbers, too.

    Raises:
        ValueError: the config has no suitable loss, the word is unknown, or the masks hold no class.
    """

    def edit(edited: Config) -> None:
        choose_losses(edited, options)
        if needs_class_counts(edited):
            if options.check:
                check_before_run(edited, "count")
            fill_in_class_weights(edited)

    return changes(cfg, edit)


def choose_losses(cfg: Config, options: LossOptions) -> None:
    """Set the losses and the class weights as `configure` does, but keep the weights as words. Modifies `cfg`."""
    if options.loss is not None:
        _use_loss(cfg, options.loss)
    if options.class_weight is not None:
        _use_class_weight(cfg, options.class_weight)


def _use_loss(cfg: Config, name: str) -> None:
    decode_heads = as_list(cfg.model.get("decode_head"))
    head = decode_heads[-1] if decode_heads else ConfigDict(type="none")  # of a cascade, the one that predicts
    losses = as_list(head.get("loss_decode"))
    kinds = [type_name(loss) for loss in losses]
    if not kinds or not set(kinds) <= _REPLACED or type_name(head) in _POINT_HEADS:
        described = f"of type {head.type} with {' and '.join(kinds) or 'no loss_decode'}"
        raise InvalidConfigError(
            f"`loss` {name}: the decode head is {described}, whose losses only the config can change",
            code="E-config-unsupported",
        )
    if any(
        loss.get("use_mask") or (loss.get("use_sigmoid") and type_name(loss) == "CrossEntropyLoss") for loss in losses
    ):
        raise InvalidConfigError(
            f"`loss` {name}: the cross entropy of the decode head is computed from sigmoids; set use_sigmoid=False",
            code="E-config-unsupported",
        )
    weights = [loss.class_weight for loss in losses if loss.get("class_weight") is not None]
    default = dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0)
    present = next((loss for loss in losses if type_name(loss) == "CrossEntropyLoss"), default)
    cross_entropy: dict[str, Any] = {**present, "class_weight": weights[0] if weights else None}
    weight = float(cross_entropy.get("loss_weight", 1.0))
    head.pop("sampler", None)
    if name == "ce":
        head.loss_decode = cross_entropy
    elif name == "ohem":
        head.loss_decode = cross_entropy
        min_kept = max(2, round(_OHEM_SHARE * _crop_pixels(cfg)))
        head.sampler = dict(type="OHEMPixelSampler", thresh=0.7, min_kept=min_kept)
    elif name == "focal":
        # MMSegmentation takes the mean over pixels and classes; the sum over classes, as in Lin et al., "Focal
        # Loss for Dense Object Detection", ICCV 2017, is of the same magnitude as a cross entropy
        scaled = weight * head.num_classes
        head.loss_decode = dict(type="FocalLoss", loss_weight=scaled, class_weight=cross_entropy["class_weight"])
    elif name == "dice":
        # MMSegmentation's DiceLoss pools all classes, so that the frequent ones dominate, and counts ignored pixels;
        # its TverskyLoss with alpha = beta = 0.5 is the Dice loss of each class, without the ignored pixels
        dice = dict(type="TverskyLoss", alpha=0.5, beta=0.5, loss_weight=weight, loss_name="loss_dice")
        head.loss_decode = [cross_entropy, dice]
    elif name == "lovasz":
        # over the batch, as its authors do; MMSegmentation then requires reduction='none'
        lovasz = dict(type="LovaszLoss", per_image=False, reduction="none", loss_weight=weight)
        head.loss_decode = [cross_entropy, lovasz]
    else:
        raise InvalidConfigError(f"`loss` {name}: expected ce, ohem, focal, dice or lovasz", code="E-config-value")


def _use_class_weight(cfg: Config, class_weight: str) -> None:
    losses = [
        loss for head in heads(cfg.model) for loss in as_list(head.get("loss_decode")) if type_name(loss) in _WEIGHTED
    ]
    if not losses:
        raise InvalidConfigError(
            f"`class_weight` {class_weight}: no head of the config has a {' or '.join(sorted(_WEIGHTED))}",
            code="E-config-unsupported",
        )
    for loss in losses:
        loss["class_weight"] = class_weight
    check_class_weights(cfg, Path("`class_weight`"))  # in the place of the config's path, in messages


def _crop_pixels(cfg: Config) -> int:
    for dataset in inner_datasets(cfg.train_dataloader.dataset):
        for step in dataset.get("pipeline", []):
            if type_name(step) in CROPS:
                size = step["crop_size"]
                return size * size if isinstance(size, int) else math.prod(size)
    raise InvalidConfigError(
        "`loss` ohem keeps a share of each crop, and the train pipeline has no RandomCrop that says its size",
        code="E-config-missing-key",
    )
