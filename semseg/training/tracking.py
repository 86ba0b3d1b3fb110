"""What a training is judged by: the score that decides, when it stops, which weights are validated."""

from __future__ import annotations

import difflib

from mmengine.config import Config

from semseg.config.hooks import ensure_hook
from semseg.config.metrics import VAL_LOSS, evaluators_of, metrics_of
from semseg.errors import InvalidConfigError


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
                raise InvalidConfigError(f"{flag} needs a validation: the config has no val_evaluator")
    else:
        if early_stop is not None and early_stop < 1:
            raise InvalidConfigError(f"--early-stop {early_stop}: expected a number of validations, 1 or more")
        if val_loss and not any(evaluator.get("type") == "CrossEntropyMetric" for evaluator in evaluators_of(cfg)):
            cfg.val_evaluator = [*evaluators_of(cfg), dict(type="CrossEntropyMetric")]
        _follow(cfg, early_stop, monitor)
    if ema is not None:
        if not 0 < ema <= 0.5:
            hint = f"; a decay of {ema} is --ema {1 - ema:.2g}" if 0.5 < ema < 1 else ""
            raise InvalidConfigError(f"--ema {ema}: expected the weight of the newest weights, such as 0.0002{hint}")
        if any(str(hook["type"]).endswith("EMAHook") for hook in cfg.get("custom_hooks") or []):
            raise InvalidConfigError("--ema: the config averages the weights already, by an EMAHook in custom_hooks")
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
        raise InvalidConfigError(f"--monitor {monitor}: {_no_metric(monitor, known)}")
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
