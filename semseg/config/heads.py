"""Adapt the heads of a model to the classes of another data set."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.config import ConfigDict

from semseg.config.tree import as_list, class_weights, counting_heads, may_weigh_no_object


def set_num_classes(model: ConfigDict, num_classes: int) -> list[str]:
    """Set the number of classes of every head. Modifies `model`.

    A head that predicts edges keeps its two classes. Class weights that are all equal stay equal. Other weights were
    made for other classes: they are removed unless there are `num_classes` of them. A weight for masks
    that match no object is one more, and stays. A head with a single output for two classes gets one output for each
    class, unless `num_classes` is two.

    Returns:
        What was removed or replaced, one sentence each.
    """
    changes, removed = [], []
    for key, head in list(counting_heads(model)):
        before = head["num_classes"]
        for place, loss, weights in class_weights(head, key):
            has_no_object = len(weights) == before + 1 and may_weigh_no_object(place, loss)
            of_classes, of_no_object = (weights[:-1], weights[-1:]) if has_no_object else (weights, [])
            if len(set(of_classes)) == 1:
                loss["class_weight"] = [*of_classes[:1] * num_classes, *of_no_object]
            elif len(of_classes) != num_classes:
                loss["class_weight"] = None
                removed.append(f"{place} ({len(weights)} numbers)")
        if head.get("out_channels") is not None and before != num_classes and _is_output(head):
            changes += _give_outputs(head, key, num_classes)
        head["num_classes"] = num_classes
    if removed:
        names = ", ".join(removed)
        changes.insert(0, f"class weights for other classes are left out: {names}; class_weight='auto' makes new ones")
    return changes


def set_vocabulary(model: ConfigDict, classes: Sequence[str]) -> list[str]:
    """Make a text encoder use the names of the classes. Modifies `model`.

    Returns:
        What was replaced, one sentence each.
    """
    encoder = model.get("text_encoder")
    if not isinstance(encoder, dict) or not (encoder.get("dataset_name") or encoder.get("vocabulary")):
        return []
    before = encoder.get("dataset_name") or f"{len(encoder['vocabulary'])} words"
    encoder.update(dataset_name=None, vocabulary=list(classes))
    return [f"model.text_encoder.vocabulary holds the names of the classes instead of {before}"]


def _is_output(head: ConfigDict) -> bool:
    """Return whether `out_channels` is the number of scores; in heads such as KernelUpdateHead it is a width."""
    return head["out_channels"] in (1, head["num_classes"])


def _give_outputs(head: ConfigDict, key: str, num_classes: int) -> list[str]:
    if head["out_channels"] != 1:
        head["out_channels"] = num_classes
        return []
    del head["out_channels"]
    head.pop("threshold", None)
    for loss in as_list(head.get("loss_decode")):
        if loss.get("use_sigmoid"):
            loss["use_sigmoid"] = False
    return [f"{key} has an output for each of {num_classes} classes instead of out_channels=1 with a threshold"]
