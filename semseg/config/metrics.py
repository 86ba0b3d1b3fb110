"""The evaluators of a config: which class computes the scores, and what the scores are called."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from semseg.config.classes import classes_of
from semseg.config.tree import as_list, type_name
from semseg.errors import InvalidInputError

VAL_LOSS = "val/loss"
_METRICS = {"mIoU": ("IoU", "Acc"), "mDice": ("Dice", "Acc"), "mFscore": ("Fscore", "Precision", "Recall")}
"""Value of `iou_metrics` to the scores whose means MMSegmentation's IoUMetric returns."""


def use_confusion_metric(cfg: Config) -> None:
    """Replace MMSegmentation's IoUMetric by ConfusionMetric: the same numbers, and more. Modifies `cfg`."""
    for key in ("val_evaluator", "test_evaluator"):
        for evaluator in as_list(cfg.get(key)):
            if isinstance(evaluator, dict) and evaluator.get("type") == "IoUMetric":
                evaluator["type"] = "ConfusionMetric"


def metrics_of(cfg: Config) -> list[str] | None:
    """Return the names of the scores that the validation will return; None if an evaluator is not known."""
    names: list[str] = []
    for evaluator in evaluators_of(cfg):
        if evaluator.get("type") == "CrossEntropyMetric":
            names.append(VAL_LOSS)
            continue
        classes = classes_of(cfg.get("val_dataloader"))
        if evaluator.get("type") != "ConfusionMetric" or classes is None:
            return None
        kinds = evaluator.get("iou_metrics", ["mIoU"])
        parts = list(dict.fromkeys(part for kind in kinds for part in _METRICS.get(kind, ())))
        scores = ["aAcc", *(f"m{part}" for part in parts), *(f"{part}/{name}" for part in parts for name in classes)]
        prefix = evaluator.get("prefix")
        names += [f"{prefix}/{name}" for name in scores] if prefix else scores
    return names


def evaluators_of(cfg: Config) -> list[Any]:
    """Return the evaluators of the validation, as a list."""
    return list(cfg.val_evaluator) if isinstance(cfg.val_evaluator, (list, tuple)) else [cfg.val_evaluator]


def counting_evaluators(cfg: Config, needing: str) -> list[dict]:
    """Return the evaluators of a test that count confusion matrices.

    Args:
        cfg: any config.
        needing: what asks for one, such as "`extras` needs", for the message.

    Raises:
        ValueError: there is none.
    """
    evaluators = as_list(cfg.get("test_evaluator"))
    counting = [evaluator for evaluator in evaluators if type_name(evaluator) == "ConfusionMetric"]
    if not counting:
        kinds = ", ".join(map(type_name, evaluators))
        raise InvalidInputError(
            f"{needing} a ConfusionMetric; the config's test_evaluator is {kinds}", code="E-config-evaluator"
        )
    return counting
