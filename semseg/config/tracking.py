"""What a training is judged by: the score that decides, when it stops, which weights are validated."""

from __future__ import annotations

import difflib
from typing import Any

from mmengine.config import Config

from semseg.config.classes import classes_of
from semseg.config.hooks import ensure_hook

VAL_LOSS = "val/loss"
_METRICS = {"mIoU": ("IoU", "Acc"), "mDice": ("Dice", "Acc"), "mFscore": ("Fscore", "Precision", "Recall")}
"""What MMSegmentation's IoUMetric returns the means of, by its argument `iou_metrics`."""


def track(
    cfg: Config,
    *,
    early_stop: int | None = None,
    monitor: str | None = None,
    val_loss: bool = False,
    ema: float | None = None,
) -> None:
    """Give a training (in place) a score to follow, and curves that a resumed run goes on with.

    Args:
        cfg: of a training.
        early_stop: stop after so many validations in a row without a new best score; None: never.
        monitor: the score that decides on that and on the best checkpoint; default: the config's `save_best`,
            else mIoU.
        val_loss: compute the cross entropy of the predictions at every validation, too.
        ema: validate and save averaged weights; the least weight of the newest ones.

    Raises:
        ValueError: a metric that the validation will not return; a number out of range; no validation to
            follow; averaged weights twice.
    """
    ensure_hook(cfg, dict(type="ContinuationHook"))
    ensure_hook(cfg, dict(type="OneCurveHook"))
    if cfg.get("val_evaluator") is None:
        given = [("--early-stop", early_stop), ("--monitor", monitor), ("--val-loss", val_loss)]
        for flag, value in given:
            if value:
                raise ValueError(f"{flag} needs a validation: the config has no val_evaluator")
    else:
        if early_stop is not None and early_stop < 1:
            raise ValueError(f"--early-stop {early_stop}: expected a number of validations, 1 or more")
        if val_loss and not any(evaluator.get("type") == "CrossEntropyMetric" for evaluator in _evaluators(cfg)):
            cfg.val_evaluator = [*_evaluators(cfg), dict(type="CrossEntropyMetric")]
        _follow(cfg, early_stop, monitor)
    if ema is not None:
        if not 0 < ema <= 0.5:
            hint = f"; a decay of {ema} is --ema {1 - ema:.2g}" if 0.5 < ema < 1 else ""
            raise ValueError(f"--ema {ema}: expected the weight of the newest weights, such as 0.0002{hint}")
        if any(str(hook["type"]).endswith("EMAHook") for hook in cfg.get("custom_hooks") or []):
            raise ValueError("--ema: the config averages the weights already, by an EMAHook in custom_hooks")
        _replace_hook(cfg, dict(type="AveragedWeightsHook", momentum=ema))


def _follow(cfg: Config, early_stop: int | None, monitor: str | None) -> None:
    checkpoint = (cfg.get("default_hooks") or {}).get("checkpoint") or {}
    saved = checkpoint.get("save_best")
    is_chosen = monitor is not None or early_stop is not None
    if monitor is None:
        monitor = saved if isinstance(saved, str) and saved != "auto" else "mIoU"
    known = metrics_of(cfg)
    if not is_chosen and monitor not in (known or ()):
        return
    if known is not None and monitor not in known:
        raise ValueError(f"--monitor {monitor}: {_no_metric(monitor, known)}")
    rule = "less" if monitor == VAL_LOSS else "greater"
    hook = dict(type="MonitorHook", monitor=monitor, rule=rule, patience=early_stop)
    if not is_chosen:
        ensure_hook(cfg, hook)
        return
    _replace_hook(cfg, hook)
    if checkpoint:
        checkpoint.update(save_best=monitor, rule=rule)


def _replace_hook(cfg: Config, hook: dict) -> None:
    """Add a hook; a config that was written by another run may hold one with other arguments."""
    cfg.custom_hooks = [other for other in cfg.get("custom_hooks") or [] if other["type"] != hook["type"]]
    ensure_hook(cfg, hook)


def metrics_of(cfg: Config) -> list[str] | None:
    """List what the validation will return; None where an evaluator does not tell."""
    names = []
    for evaluator in _evaluators(cfg):
        if evaluator.get("type") == "CrossEntropyMetric":
            names.append(VAL_LOSS)
            continue
        classes = classes_of(cfg.get("val_dataloader"))
        if evaluator.get("type") != "ConfusionMetric" or classes is None:
            return None
        kinds = evaluator.get("iou_metrics", ["mIoU"])
        parts = list(dict.fromkeys(part for kind in kinds for part in _METRICS.get(kind, ())))
        found = ["aAcc", *(f"m{part}" for part in parts), *(f"{part}/{name}" for part in parts for name in classes)]
        prefix = evaluator.get("prefix")
        names += [f"{prefix}/{name}" for name in found] if prefix else found
    return names


def _evaluators(cfg: Config) -> list[Any]:
    return list(cfg.val_evaluator) if isinstance(cfg.val_evaluator, (list, tuple)) else [cfg.val_evaluator]


def _no_metric(name: str, known: list[str]) -> str:
    if name == VAL_LOSS:
        return "add --val-loss"
    lowered = {metric.lower(): metric for metric in known}
    near = difflib.get_close_matches(name.lower(), lowered, 1, 0.6)
    means = [metric for metric in known if "/" not in metric or metric == VAL_LOSS]
    if near:
        return f"no such metric; did you mean {lowered[near[0]]!r}?"
    others = " or IoU/<class>" if any(metric.startswith("IoU/") for metric in known) else ""
    return f"no such metric; the validation returns {', '.join(means)}{others}"
