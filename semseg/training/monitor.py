"""Follow one score over the validations: it decides which checkpoint is the best, and when to stop early."""

from __future__ import annotations

import difflib
import math
import shlex
import sys
from collections.abc import Sequence
from typing import cast

import numpy as np
from mmengine.config import Config
from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmseg.registry import HOOKS

from semseg.config.hooks import ensure_hook, replace_hook
from semseg.config.metrics import VAL_LOSS, metrics_of
from semseg.config.patch import Patch, changes
from semseg.errors import InvalidConfigError
from semseg.training.checkpointing import SafeCheckpointHook
from semseg.training.options import MonitorOptions
from semseg.training.runner_parts import train_loop_of


def configure(cfg: Config, options: MonitorOptions) -> Patch:
    """Add the hooks that follow a score, and those that let a resumed run continue its schedule and its curves.

    The score is `monitor`, else the `save_best` of the config, else mIoU. `early_stop` ends the run after that many
    validations in a row without a new best score.

    Raises:
        ValueError: the validation will not return the metric; a number is out of range; there is no validation.
    """

    def edit(edited: Config) -> None:
        ensure_hook(edited, dict(type="ContinuationHook"))
        ensure_hook(edited, dict(type="OneCurveHook"))
        if edited.get("val_evaluator") is not None:
            _add_monitor_hook(edited, options.early_stop, options.monitor)

    if cfg.get("val_evaluator") is None:
        for name, value in (("early_stop", options.early_stop), ("monitor", options.monitor)):
            if value:
                raise InvalidConfigError(
                    f"`{name}` needs a validation: the config has no val_evaluator", code="E-config-no-validation"
                )
    elif options.early_stop is not None and options.early_stop < 1:
        raise InvalidConfigError(
            f"`early_stop` {options.early_stop}: expected a number of validations, 1 or more", code="E-config-range"
        )
    return changes(cfg, edit)


def _add_monitor_hook(cfg: Config, early_stop: int | None, monitor: str | None) -> None:
    """Modifies `cfg`."""
    checkpoint = (cfg.get("default_hooks") or {}).get("checkpoint") or {}
    saved = checkpoint.get("save_best")
    is_chosen = monitor is not None or early_stop is not None
    if monitor is None:
        monitor = saved if isinstance(saved, str) and saved != "auto" else "mIoU"
    known = metrics_of(cfg)
    if not is_chosen and monitor not in (known or ()):
        return
    if known is not None and monitor not in known:
        raise InvalidConfigError(f"`monitor` {monitor}: {_unknown_metric(monitor, known)}", code="E-config-metric")
    rule = "less" if monitor == VAL_LOSS else "greater"
    hook = dict(type="MonitorHook", monitor=monitor, rule=rule, patience=early_stop)
    if not is_chosen:
        ensure_hook(cfg, hook)
        return
    replace_hook(cfg, hook)
    if checkpoint:
        checkpoint.update(save_best=monitor, rule=rule)


def _unknown_metric(name: str, known: list[str]) -> str:
    """Return what to do about the name of a metric that the validation does not return."""
    if name == VAL_LOSS:
        return "add `val_loss`"
    lowered = {metric.lower(): metric for metric in known}
    near = difflib.get_close_matches(name.lower(), lowered, 1, 0.6)
    means = [metric for metric in known if "/" not in metric or metric == VAL_LOSS]
    if near:
        return f"no such metric; did you mean {lowered[near[0]]!r}?"
    per_class = " or IoU/<class>" if any(metric.startswith("IoU/") for metric in known) else ""
    return f"no such metric; the validation returns {', '.join(means)}{per_class}"


@HOOKS.register_module()
class MonitorHook(EarlyStoppingHook):
    """Follow one score over the validations: stop when it stagnates, and log it when it still rises at the end.

    The scores so far are stored in the checkpoint: a resumed run continues to count, and a changed `patience` is
    applied to all validations.

    Args:
        monitor: a metric that the validation returns, such as `mIoU`, `IoU/person` or `val/loss`.
        rule: which is better, `greater` or `less`.
        patience: stop after that many validations in a row without a new best; None: never.
    """

    priority = "LOW"  # after the log line of the validation, before the checkpoint, which keeps the scores

    def __init__(self, monitor: str = "mIoU", rule: str = "greater", patience: int | None = None) -> None:
        # min_delta: a score that equals the best one is no new best
        never = cast(int, math.inf)  # MMEngine only compares it with a count
        super().__init__(monitor, rule, min_delta=1e-9, check_finite=False, patience=patience or never)
        self._scores: list[list[float]] = []  # [iteration, score]

    def before_run(self, runner: Runner) -> None:
        """Skip MMEngine's check, which would load the training set for a test."""

    def before_train(self, runner: Runner) -> None:
        """Load the scores of a resumed run; those of another metric are discarded."""
        hub = runner.message_hub
        kept = hub.runtime_info.get("monitored", {})
        if kept.get("monitor", self.monitor) == self.monitor:
            self._scores = [list(pair) for pair in kept.get("scores", [])]
        else:
            runner.logger.info(
                f"monitor is {self.monitor}, it was {kept['monitor']}: the best score of before does not count"
            )
            hub.update_info("best_score", -math.inf if self.rule == "greater" else math.inf)
            hub.update_info("best_ckpt", None)
        for _, score in self._scores:
            self._is_stagnant(score)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Decide whether to stop.

        Raises:
            ValueError: the validation does not return the metric.
        """
        if self.monitor not in metrics:
            raise InvalidConfigError(
                f"`monitor` {self.monitor}: the validation returns only {', '.join(sorted(metrics))}",
                code="E-config-metric",
            )
        score = float(metrics[self.monitor])
        if not math.isfinite(score):
            runner.logger.warning(f"{self.monitor} is {score}: it does not count as a new best")
        self._scores.append([runner.iter, score])
        runner.message_hub.update_info("monitored", dict(monitor=self.monitor, scores=self._scores))
        if self._is_stagnant(score):
            train_loop_of(runner).stop_training = True

    def after_train(self, runner: Runner) -> None:
        """Log why the run has stopped, or that a longer run may reach a better score."""
        if runner.iter >= runner.max_iters:
            text = rising_text(self.monitor, [score for _, score in self._scores], self.rule)
            if text:
                by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
                length = math.ceil(1.5 * (runner.max_epochs if by_epoch else runner.max_iters))
                command = extending_command(sys.argv, length, runner.world_size, by_epoch)
                runner.logger.info(f"{text}: to continue the run: {command}")
        elif self.wait_count >= self.patience:
            for hook in runner.hooks:
                if isinstance(hook, SafeCheckpointHook) and hook.saved_iter != runner.iter:
                    hook.save(runner, runner.iter)
            iteration = next(iteration for iteration, score in self._scores if score == self.best_score)
            beaten = "exceeded" if self.rule == "greater" else "fallen below"
            runner.logger.info(
                f"stopped at iteration {runner.iter} of {runner.max_iters}: {self.monitor} has not {beaten}"
                f" {self.best_score:.4g} (iteration {iteration}) in {self.wait_count} validations;"
                f" best checkpoint: {runner.message_hub.runtime_info.get('best_ckpt')}"
            )

    def _is_stagnant(self, score: float) -> bool:
        worst = -math.inf if self.rule == "greater" else math.inf
        return self._check_stop_condition(score if math.isfinite(score) else worst)[0]


def rising_text(monitor: str, scores: Sequence[float], rule: str = "greater") -> str:
    """Return a text if a score was still improving when the run ended; empty if it was not, or if it is unknown.

    It was improving if the last validation is the best of all, and the line through the last third of the validations
    (three at least) improves by more than 1 % of the score and by more than twice the scatter about that line (the
    standard deviation of its residuals). With fewer than three validations it is unknown.

    Args:
        monitor: name of the score.
        scores: one per validation, the oldest first.
        rule: which is better, `greater` or `less`.
    """
    if len(scores) < 3 or not np.isfinite(scores).all():
        return ""
    sign = 1 if rule == "greater" else -1
    values = sign * np.asarray(scores, float)
    last = values[-max(3, math.ceil(len(values) / 3)) :]
    positions = np.arange(len(last))
    slope, start = np.polyfit(positions, last, 1)
    gain = slope * positions[-1]
    scatter = np.sqrt(np.sum((last - slope * positions - start) ** 2) / (len(last) - 2))
    if values[:-1].max() >= values[-1] or gain <= 2 * scatter or gain <= 0.01 * abs(last[-1]):
        return ""
    amount = f"{gain:.3g}" if "loss" in monitor else f"{gain:.1f} points"
    return f"{monitor} {'rose' if sign > 0 else 'fell'} by {amount} over the last third of the validations"


def extending_command(argv: Sequence[str], length: int, num_processes: int = 1, by_epoch: bool = False) -> str:
    """Return the command that continues a run to another length.

    Args:
        argv: of the run: tools/train.py, or `semseg train`, and its arguments.
        length: the new length, in iterations.
        num_processes: how many `tools/dist_train.sh` started, if it was used.
        by_epoch: the length is in epochs.
    """
    program, *rest = argv
    args, launcher = [], None
    while rest:
        arg = rest.pop(0)
        if arg == "--launcher":
            launcher = rest.pop(0)
        elif arg in ("--load-from", "--epochs"):
            rest.pop(0)
        elif arg == "--resume":
            rest = rest[1:] if rest and not rest[0].startswith("-") else rest
        elif not arg.startswith(("train_cfg.max_iters=", "train_cfg.max_epochs=", "--epochs=")):
            args.append(arg)
    if "--cfg-options" not in args:
        args.append("--cfg-options")
    place = args.index("--cfg-options")
    key = "train_cfg.max_epochs" if by_epoch else "train_cfg.max_iters"
    new = ["--resume", "--cfg-options", f"{key}={length}"]
    if by_epoch and "--epochs" in " ".join(argv):
        new = ["--resume", "--epochs", str(length), *(["--cfg-options"] if args[place + 1 :] else [])]
    args[place : place + 1] = new
    if launcher == "pytorch":
        program, args = program.replace("train.py", "dist_train.sh"), [args[0], str(num_processes), *args[1:]]
    words = program.split() if program == "semseg train" else [program]
    return shlex.join([*words, *args])
