"""How the heads of a model are told the classes of another data set."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.config import ConfigDict

from semseg.config.tree import class_weights, counting_heads
from semseg.labels import IGNORED


def set_num_classes(model: ConfigDict, num_classes: int) -> list[str]:
    """Give every head that counts classes this many (in place); a head that finds edges keeps its two.

    Equal weights of classes stay equal. Other weights belong to the classes that they were made for, and are left
    out unless there are `num_classes` of them. A head with a single output for two classes gets an output for each
    class, unless it has two.

    Returns:
        What was left out or replaced, one sentence each.
    """
    changes, dropped = [], []
    for key, head in list(counting_heads(model)):
        before = head["num_classes"]
        for place, loss, weights in class_weights(head, key):
            known, others = weights[:before], weights[before:]  # others: no object
            if len(set(known)) == 1 and len(others) < 2:
                loss["class_weight"] = [*known[:1] * num_classes, *others]
            elif len(weights) not in (num_classes, num_classes + 1):
                loss["class_weight"] = None
                dropped.append(f"{place} ({len(weights)} numbers)")
        if head.get("out_channels") is not None and before != num_classes and _is_output(head):
            changes += _give_outputs(head, key, num_classes)
        head["num_classes"] = num_classes
    if dropped:
        names = ", ".join(dropped)
        changes.insert(0, f"class weights for other classes are left out: {names}; --class-weight auto makes new ones")
    return changes


def take_masks_of_this_project(model: ConfigDict, classes: Sequence[str]) -> list[str]:
    """Make heads ignore what `FolderSegDataset` marks, and text encoders read its class names (in place).

    Returns:
        What was replaced, one sentence each.
    """
    changes = []
    for key, head in counting_heads(model):
        value = head.get("ignore_index", IGNORED)
        if value != IGNORED:
            head["ignore_index"] = IGNORED
            changes.append(f"{key}.ignore_index is {IGNORED} instead of {value}")
    encoder = model.get("text_encoder")
    if isinstance(encoder, dict) and (encoder.get("dataset_name") or encoder.get("vocabulary")):
        before = encoder.get("dataset_name") or f"{len(encoder.vocabulary)} words"
        encoder.update(dataset_name=None, vocabulary=list(classes))
        changes.append(f"model.text_encoder.vocabulary holds the names of the classes instead of {before}")
    return changes


def _is_output(head: ConfigDict) -> bool:
    """Return whether `out_channels` counts scores; in a KernelUpdateHead and the like it is a width."""
    return head["out_channels"] in (1, head["num_classes"])


def _give_outputs(head: ConfigDict, key: str, num_classes: int) -> list[str]:
    if head["out_channels"] != 1:
        head["out_channels"] = num_classes
        return []
    del head["out_channels"]
    head.pop("threshold", None)
    losses = head.get("loss_decode") or []
    for loss in losses if isinstance(losses, (list, tuple)) else [losses]:
        if loss.get("use_sigmoid"):
            loss["use_sigmoid"] = False
    return [f"{key} has an output for each of {num_classes} classes instead of out_channels=1 with a threshold"]
