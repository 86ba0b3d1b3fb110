"""Start from the weights of another run: load the weights that fit, and match the rows of classes by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor

from semseg.checkpoints.description import classes_of
from semseg.checkpoints.loading import check_finite
from semseg.checkpoints.reading import model_weights
from semseg.errors import InvalidCheckpointError
from semseg.system.wording import listing
from semseg.training.runner_parts import bare_model

# Every tensor of MMSegmentation's heads that has an entry per class.
_PER_CLASS = re.compile(
    r"_head\.(.*\.)?((\w*(conv_seg|cls_seg)|fc_seg|se_layer|cls_embed|mask_norm)\.(weight|bias)|cls_emb)$"
)
# Tensors that are no weights: they may differ, be missing, or be unexpected.
_NO_WEIGHT = re.compile(r"(^|\.)loss_\w+\.|\.num_batches_tracked$|^data_preprocessor\.")


@HOOKS.register_module()
class FineTuningHook(Hook):
    """Adapt the checkpoint that a training starts from (`load_from`) to its model and classes, or refuse it.

    The log says what was done with its tensors. A checkpoint that is resumed or tested is not changed.
    """

    priority = "VERY_HIGH"  # before EMAHook, which loads the same weights

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Replace the weights of the checkpoint by those that the model will load.

        Raises:
            ValueError: as `carry_over`.
        """
        if runner.cfg.get("resume") or not isinstance(runner.optim_wrapper, OptimWrapper):  # built by a training only
            return
        state_dict = bare_model(runner).state_dict()
        weights, report = carry_over(
            state_dict,
            checkpoint.get("state_dict", checkpoint),
            getattr(runner.train_dataloader.dataset, "metainfo", {}).get("classes"),
            classes_of(checkpoint),
            runner.cfg.load_from,
        )
        state_dict.update(weights)
        checkpoint["state_dict"] = state_dict
        for line in report:
            runner.logger.info(line)


def carry_over(
    own: Mapping[str, Tensor],
    stored: Mapping[str, Any],
    classes: Sequence[str] | None,
    stored_classes: Sequence[str] | None,
    file: str,
) -> tuple[dict[str, Tensor], list[str]]:
    """Choose the weights that a model loads from a checkpoint.

    Tensors of the same name and shape are loaded. The rows of a last layer are matched by the names of the classes:
    equal names first, then names that differ only in case, spaces, hyphens and underscores; a class that the file
    doesn't have keeps its initialised row. Without names, a layer is loaded if the number of classes is the same. A
    head that is missing in the file stays initialised, and a head that the model doesn't have is left out.

    Args:
        own: state dict of the model, freshly initialised; not changed.
        stored: state dict of the file, with or without `module.` before the names.
        classes: names of the model's classes, by train id; None if unknown.
        stored_classes: names of the file's classes.
        file: its name, for messages.

    Returns:
        The tensors to load into the model, and lines for the log.

    Raises:
        ValueError: nothing fits, or something other than the classes differs.
    """
    num_stored = len(stored)
    stored = model_weights(stored)
    num_left_out = num_stored - len(stored)
    stored = {name: value for name, value in stored.items() if torch.is_tensor(value)}
    check_finite(stored, file, [name for name in stored if _NO_WEIGHT.search(name)])
    _check_any_fits(own, stored, file)
    carrier = _Carrier(classes, stored_classes)
    weights, other_shape = {}, []
    for name in [name for name in own if name in stored]:
        carried = carrier.carry(name, stored[name], own[name]) if _PER_CLASS.search(name) else None
        if carried is not None:
            weights[name] = carried
        elif stored[name].shape == own[name].shape:
            weights[name] = stored[name]
        elif not _NO_WEIGHT.search(name):
            other_shape.append(name)

    parts, stored_parts = ({_part(name) for name in names} for names in (own, stored))
    fresh = {part for part in parts - stored_parts if _is_head(part) or stored_parts == {"backbone"}}
    left_out = {part for part in stored_parts - parts if _is_head(part)}
    absent = [name for name in own if name not in stored and not _NO_WEIGHT.search(name)]
    unknown = [name for name in stored if name not in own and not _NO_WEIGHT.search(name)]
    mismatches = {
        "tensors of the model are not in the file": [name for name in absent if _part(name) not in fresh],
        "tensors have another shape": other_shape,
        "tensors of the file have no place in the model": [name for name in unknown if _part(name) not in left_out],
    }
    if any(mismatches.values()):
        counts = ", ".join(f"{len(names)} {kind} ({listing(names, 2)})" for kind, names in mismatches.items() if names)
        advice = "use the config that it was trained with"
        if not any(name.startswith("backbone.") for names in mismatches.values() for name in names):
            advice += (
                ", or take its backbone alone: without `load_from`, but with `cfg_options` model.pretrained=None"
                f" model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint={file}"
                " model.backbone.init_cfg.prefix=backbone."
            )
        raise InvalidCheckpointError(
            f"{file} is of another model: {counts}; only the classes may differ: {advice}", code="E-checkpoint-mismatch"
        )

    total = [name for name in own if not _NO_WEIGHT.search(name)]
    num_loaded = sum(name in weights and name not in carrier.incomplete for name in total)
    report = [f"loaded {num_loaded} of {len(total)} tensors from {file}", *carrier.report()]
    if num_left_out:
        report.append(f"{num_left_out} averages of MMCV's EMAHook: left out, its validations did not use them")
    for part in sorted(fresh):
        report.append(f"{part}: re-initialised, the file has none")
    for part in sorted(left_out):
        report.append(f"{part}: left out, the model has none")
    return weights, report


class _Carrier:
    """Converts last layers from one list of classes to another, and records what was done with each."""

    def __init__(self, classes: Sequence[str] | None, stored_classes: Sequence[str] | None) -> None:
        self.incomplete: set[str] = set()  # tensors that keep initialised rows
        self._layers: dict[str, dict[str, None]] = {}  # what was done -> names of the layers
        self._named = classes is not None and stored_classes is not None
        self._classes, self._stored_classes = list(classes or ()), list(stored_classes or ())
        exact = {name: row for row, name in enumerate(self._stored_classes)}
        normalized = {_normalize(name): row for name, row in reversed(exact.items())}
        self._rows = [exact.get(name, normalized.get(_normalize(name))) for name in self._classes]
        self._is_same_list = self._rows == list(range(len(self._stored_classes)))

    def carry(self, name: str, stored: Tensor, own: Tensor) -> Tensor | None:
        """Return the values of a tensor that the model loads; None if the two differ in more than their classes."""
        axis = 1 if name.endswith("cls_emb") else 0
        if stored.ndim != own.ndim or any(
            sizes[0] != sizes[1] for i, sizes in enumerate(zip(stored.shape, own.shape, strict=True)) if i != axis
        ):
            return None
        num_stored, num_own = stored.shape[axis], own.shape[axis]
        spare = num_own - len(self._classes)  # 1: a last row that belongs to none of the classes
        if self._named and spare in (0, 1) and num_stored - len(self._stored_classes) == spare:
            carried = own.clone()
            for row, stored_row in enumerate([*self._rows, len(self._stored_classes)][:num_own]):
                if stored_row is not None:
                    carried.select(axis, row).copy_(stored.select(axis, stored_row))
            if None in self._rows:
                self.incomplete.add(name)
            if not self._is_same_list:
                self._record(name, self._by_name())
            return carried
        is_binary = self._named and num_own == 1 and len(self._classes) == 2
        if num_stored == num_own and (self._is_same_list or not is_binary):
            if not self._named or spare in (0, 1):  # other layers are about edges, not about classes
                self._record(name, f"taken as it is, the names of its {num_own} classes cannot be compared")
            return stored
        self.incomplete.add(name)
        reason = "the file distinguishes other classes"
        if num_stored != num_own:
            reason = f"the file has {num_stored} rows instead of {num_own}"
        self._record(name, f"re-initialised, {reason}")
        return own

    def report(self) -> list[str]:
        """Return lines for the log."""
        return [f"{', '.join(layers)}: {outcome}" for outcome, layers in self._layers.items()]

    def _record(self, name: str, outcome: str) -> None:
        self._layers.setdefault(outcome, {})[re.sub(r"\.(weight|bias)$", "", name)] = None

    def _by_name(self) -> str:
        kept = [name for name, row in zip(self._classes, self._rows, strict=True) if row is not None]
        fresh = [name for name, row in zip(self._classes, self._rows, strict=True) if row is None]
        counts = f"{len(kept)} of {len(self._stored_classes)} classes carried over by name"
        counts += f" ({listing(kept, 4)})" if kept else ""
        return f"{counts}, re-initialised: {listing(fresh, 12)}" if fresh else f"{counts}, none re-initialised"


def _check_any_fits(own: Mapping[str, Tensor], stored: Mapping[str, Tensor], file: str) -> None:
    """Refuse a file of which no tensor fits, and say what the file seems to be."""
    if any(name in own and own[name].shape == value.shape for name, value in stored.items() if value.ndim):
        return
    advice = "take a checkpoint of a model like this one"
    if any(f"backbone.{name}" in own for name in stored):
        advice = f"it seems to be a backbone alone: `cfg_options` model.pretrained={file}, without `load_from`"
    content = f"its tensors are {listing(stored, 3)}" if stored else "it holds no tensors"
    raise InvalidCheckpointError(f"nothing of {file} fits the model: {content}; {advice}", code="E-checkpoint-mismatch")


def _part(name: str) -> str:
    """Return the part of a model that a tensor belongs to: `backbone`, `decode_head`, `auxiliary_head.1`."""
    match = re.match(r"\w+_head\.\d+(?=\.)|\w+", name)
    assert match is not None, name
    return match[0]


def _is_head(part: str) -> bool:
    return "_head" in part


def _normalize(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()
