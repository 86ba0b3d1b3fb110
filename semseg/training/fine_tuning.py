"""Start from the weights of another run: what fits is taken, and classes find their rows by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor, nn

from semseg.checkpoints.description import classes_of
from semseg.checkpoints.loading import check_finite
from semseg.checkpoints.reading import model_weights
from semseg.errors import InvalidConfigError

# Every tensor of MMSegmentation's heads that has an entry per class.
_PER_CLASS = re.compile(
    r"_head\.(.*\.)?((\w*(conv_seg|cls_seg)|fc_seg|se_layer|cls_embed|mask_norm)\.(weight|bias)|cls_emb)$"
)
# What is no weight: it may differ, be absent, or be too much.
_NO_WEIGHT = re.compile(r"(^|\.)loss_\w+\.|\.num_batches_tracked$|^data_preprocessor\.")


@HOOKS.register_module()
class FineTuningHook(Hook):
    """Make the checkpoint that a training starts from (`load_from`) fit its model and classes, or refuse it.

    What became of its tensors is told in the log. What is resumed or tested is left alone.
    """

    priority = "VERY_HIGH"  # before EMAHook, which loads the same weights

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Replace the weights that were read by those that the model takes.

        Raises:
            ValueError: those of `carry_over`.
        """
        if runner.cfg.get("resume") or not isinstance(runner.optim_wrapper, OptimWrapper):  # built by a training only
            return
        state_dict = _bare(runner.model).state_dict()
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
    """Choose what a model takes from a checkpoint.

    Taken is what has the same name and shape. The rows of a last layer go by the names of the classes: the same
    name, else the same but for case, spaces, hyphens and underscores; a class that the file doesn't know keeps
    its fresh row. Without names, a layer is taken if the number of classes is the same. A head that the file
    lacks altogether stays fresh, and one that the model lacks is left out.

    Args:
        own: state dict of the model, freshly initialised; not changed.
        stored: that of the file, with or without `module.` before the names.
        classes: names of the model's classes, by train id; None if nobody knows.
        stored_classes: those of the file.
        file: its name, for messages.

    Returns:
        What to load into the model, and lines for the log.

    Raises:
        ValueError: nothing fits, or something else does not.
    """
    num_stored = len(stored)
    stored = model_weights(stored)
    num_left_out = num_stored - len(stored)
    stored = {name: value for name, value in stored.items() if torch.is_tensor(value)}
    check_finite(stored, file, [name for name in stored if _NO_WEIGHT.search(name)])
    _check_kinship(own, stored, file)
    carrier = _Carrier(classes, stored_classes)
    weights, other_shape = {}, []
    for name in [name for name in own if name in stored]:
        found, wanted = stored[name], own[name]
        carried = carrier.carry(name, found, wanted) if _PER_CLASS.search(name) else None
        if carried is not None:
            weights[name] = carried
        elif found.shape == wanted.shape:
            weights[name] = found
        elif not _NO_WEIGHT.search(name):
            other_shape.append(name)

    parts, stored_parts = ({_part(name) for name in names} for names in (own, stored))
    fresh = {part for part in parts - stored_parts if _is_head(part) or stored_parts == {"backbone"}}
    left_out = {part for part in stored_parts - parts if _is_head(part)}
    absent = [name for name in own if name not in stored and not _NO_WEIGHT.search(name)]
    unknown = [name for name in stored if name not in own and not _NO_WEIGHT.search(name)]
    misfits = {
        "tensors of the model are not in the file": [name for name in absent if _part(name) not in fresh],
        "tensors have another shape": other_shape,
        "tensors of the file have no place in the model": [name for name in unknown if _part(name) not in left_out],
    }
    if any(misfits.values()):
        found = ", ".join(f"{len(names)} {what} ({_few(names, 2)})" for what, names in misfits.items() if names)
        advice = "use the config that it was trained with"
        if not any(name.startswith("backbone.") for names in misfits.values() for name in names):
            advice += (
                ", or take its backbone alone: without --load-from, but with --cfg-options model.pretrained=None"
                f" model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint={file}"
                " model.backbone.init_cfg.prefix=backbone."
            )
        raise InvalidConfigError(f"{file} is of another model: {found}; only the classes may differ: {advice}")

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
    """Carries last layers from one list of classes to another, and remembers what became of them."""

    def __init__(self, classes: Sequence[str] | None, stored_classes: Sequence[str] | None) -> None:
        self.incomplete: set[str] = set()  # tensors that have fresh rows
        self._layers: dict[str, dict[str, None]] = {}  # what became of them -> their names
        self._named = classes is not None and stored_classes is not None
        self._classes, self._stored_classes = list(classes or ()), list(stored_classes or ())
        exact = {name: row for row, name in enumerate(self._stored_classes)}
        alike = {_letters(name): row for name, row in reversed(exact.items())}
        self._rows = [exact.get(name, alike.get(_letters(name))) for name in self._classes]
        self._same = self._rows == list(range(len(self._stored_classes)))

    def carry(self, name: str, found: Tensor, wanted: Tensor) -> Tensor | None:
        """Return what the model takes of a tensor; None if the two differ in more than their classes."""
        axis = 1 if name.endswith("cls_emb") else 0
        if found.ndim != wanted.ndim or any(
            sizes[0] != sizes[1] for i, sizes in enumerate(zip(found.shape, wanted.shape, strict=True)) if i != axis
        ):
            return None
        num_found, num_wanted = found.shape[axis], wanted.shape[axis]
        spare = num_wanted - len(self._classes)  # 1: a last row for none of the classes
        if self._named and spare in (0, 1) and num_found - len(self._stored_classes) == spare:
            carried = wanted.clone()
            for row, stored_row in enumerate([*self._rows, len(self._stored_classes)][:num_wanted]):
                if stored_row is not None:
                    carried.select(axis, row).copy_(found.select(axis, stored_row))
            if None in self._rows:
                self.incomplete.add(name)
            if not self._same:
                self._note(name, self._by_name())
            return carried
        tells_two_apart = self._named and num_wanted == 1 and len(self._classes) == 2
        if num_found == num_wanted and (self._same or not tells_two_apart):
            if not self._named or spare in (0, 1):  # the others are about edges, not about classes
                self._note(name, f"taken as it is, the names of its {num_wanted} classes cannot be compared")
            return found
        self.incomplete.add(name)
        self._note(name, f"re-initialised, the file has {num_found} rows instead of {num_wanted}"
                   if num_found != num_wanted else "re-initialised, the file tells other classes apart")  # fmt: skip
        return wanted

    def report(self) -> list[str]:
        """Return lines for the log."""
        return [f"{', '.join(layers)}: {outcome}" for outcome, layers in self._layers.items()]

    def _note(self, name: str, outcome: str) -> None:
        self._layers.setdefault(outcome, {})[re.sub(r"\.(weight|bias)$", "", name)] = None

    def _by_name(self) -> str:
        kept = [name for name, row in zip(self._classes, self._rows, strict=True) if row is not None]
        fresh = [name for name, row in zip(self._classes, self._rows, strict=True) if row is None]
        counts = f"{len(kept)} of {len(self._stored_classes)} classes carried over by name"
        counts += f" ({_few(kept, 4)})" if kept else ""
        return f"{counts}, re-initialised: {_few(fresh, 12)}" if fresh else f"{counts}, none re-initialised"


def _check_kinship(own: Mapping[str, Tensor], stored: Mapping[str, Tensor], file: str) -> None:
    """Refuse a file of which nothing fits, and say what it seems to be."""
    if any(name in own and own[name].shape == value.shape for name, value in stored.items() if value.ndim):
        return
    advice = "take a checkpoint of a model like this one"
    if any(f"backbone.{name}" in own for name in stored):
        advice = f"it seems to be a backbone alone: --cfg-options model.pretrained={file}, without --load-from"
    content = f"its tensors are {_few(list(stored), 3)}" if stored else "it holds no tensors"
    raise InvalidConfigError(f"nothing of {file} fits the model: {content}; {advice}")


def _part(name: str) -> str:
    """Return which part of a model a tensor belongs to: `backbone`, `decode_head`, `auxiliary_head.1`."""
    return re.match(r"\w+_head\.\d+(?=\.)|\w+", name)[0]


def _is_head(part: str) -> bool:
    return "_head" in part


def _letters(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _few(names: Sequence[str], count: int) -> str:
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")


def _bare(model: nn.Module) -> nn.Module:
    return model.module if is_model_wrapper(model) else model
