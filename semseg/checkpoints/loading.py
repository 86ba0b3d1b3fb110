"""Load weights into a model, and refuse those that do not fit completely."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from mmengine.model import BaseTTAModel, is_model_wrapper

from semseg.checkpoints.description import description_of
from semseg.checkpoints.reading import model_weights
from semseg.errors import InvalidCheckpointError
from semseg.system.wording import listing

_UNUSED_HEAD = "auxiliary_head."
_COUNTER = "num_batches_tracked"


def load_strictly(model: torch.nn.Module, checkpoint: Mapping[str, Any], path: str | Path) -> dict[str, torch.Tensor]:
    """Load the weights of a checkpoint into a model, which they have to fit.

    Two harmless differences are allowed: an auxiliary head that only the file has (it is used in training only), and
    the batch counters of batch norm (they are used only without momentum).

    Args:
        model: may be wrapped, for several processes or for test-time augmentation.
        checkpoint: from `read_checkpoint`.
        path: for the message.

    Returns:
        The weights that were loaded.

    Raises:
        ValueError: a key is missing, is not in the model, or has another shape; the message names the first ones. Or
            weights are NaN or infinite.
    """
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = cast("torch.nn.Module", model.module)
    expected = model.state_dict()
    has_unused_head = any(name.startswith(_UNUSED_HEAD) for name in expected)
    weights = {
        name: value
        for name, value in model_weights(checkpoint["state_dict"]).items()
        if has_unused_head or not name.startswith(_UNUSED_HEAD)
    }
    other_shapes = {
        name: f"{name} {list(value.shape)} instead of {list(expected[name].shape)}"
        for name, value in weights.items()
        if name in expected and value.shape != expected[name].shape
    }
    fitting = {name: value for name, value in weights.items() if name not in other_shapes}
    missing, unexpected = model.load_state_dict(fitting, strict=False)
    faults = [
        _describe_keys("has another shape", "have another shape", list(other_shapes.values())),
        _describe_keys("is missing", "are missing", [name for name in missing if name not in other_shapes]),
        _describe_keys("is not in the model", "are not in the model", unexpected),
    ]
    if any(faults):
        advice = "use the config that it was trained with"
        if description_of(checkpoint, path):
            advice += ", or none at all: the file describes its model"
        raise InvalidCheckpointError(
            f"{path} does not fit the model of the config: {'; '.join(fault for fault in faults if fault)}; {advice}",
            code="E-checkpoint-mismatch",
        )
    check_finite(weights, path, [name for name, _ in model.named_buffers()])
    return weights


def check_finite(weights: Mapping[str, Any], path: str | Path, buffers: Collection[str] = ()) -> None:
    """Refuse weights that are NaN or infinite: with them a model predicts one class everywhere.

    Args:
        weights: by name.
        path: of the file, for the message.
        buffers: names of buffers; these may be infinite, as attention masks are.

    Raises:
        ValueError: some are NaN or infinite.
    """
    bad = {}
    for name, value in weights.items():
        if torch.is_tensor(value) and value.is_floating_point():
            wrong = value.isnan() if name in buffers else ~value.isfinite()
            if count := int(wrong.sum()):
                bad[name] = count
    if bad:
        name, count = next(iter(bad.items()))
        more = f", and in {len(bad) - 1} more tensors" if len(bad) > 1 else ""
        raise InvalidCheckpointError(
            f"{path} holds weights that are no numbers (NaN or infinite): {count} in {name}{more}; the training had"
            " failed when it was saved, so use an earlier checkpoint",
            code="E-checkpoint-nan",
        )


def _describe_keys(singular: str, plural: str, names: Sequence[str]) -> str:
    """Write `2 keys are missing (a, b)`; empty for no key."""
    names = [name for name in names if not name.endswith(_COUNTER)]
    if not names:
        return ""
    fault = f"key {singular}" if len(names) == 1 else f"keys {plural}"
    return f"{len(names)} {fault} ({listing(names)})"
