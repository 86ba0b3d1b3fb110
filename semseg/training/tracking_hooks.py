"""How good a run is while it learns: one score followed to the end, a loss on the validation set, averaged weights."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dist import broadcast, get_world_size
from mmengine.evaluator import BaseMetric
from mmengine.hooks import EarlyStoppingHook, EMAHook
from mmengine.logging import MessageHub
from mmengine.runner import EpochBasedTrainLoop
from mmseg.registry import HOOKS, METRICS

from semseg.errors import InvalidConfigError
from semseg.training.checkpointing import SafeCheckpointHook

_AVERAGED_PART = 16  # the average looks back over 1/16 of the run so far
_ROWS = 128  # of an image at a time: bounds the memory of the loss to a small part of the scores'


@HOOKS.register_module()
class MonitorHook(EarlyStoppingHook):
    """Follow one score over the validations: stop when it stagnates, say so when it still rises at the end.

    The scores so far travel in the checkpoint: a resumed run counts on, and another `patience` than before
    counts over all validations.

    Args:
        monitor: a metric that the validation returns, such as `mIoU`, `IoU/person` or `val/loss`.
        rule: which is better, `greater` or `less`.
        patience: stop after so many validations in a row without a new best; None: never.
    """

    priority = "LOW"  # after the log line of the validation, before the checkpoint, which keeps the scores

    def __init__(self, monitor: str = "mIoU", rule: str = "greater", patience: int | None = None) -> None:
        # the least difference makes a score that equals the best one no new best
        super().__init__(monitor, rule, min_delta=1e-9, check_finite=False, patience=patience or math.inf)
        self._scores: list[list[float]] = []  # [iteration, score]

    def before_run(self, runner) -> None:
        """Leave out MMEngine's check, which would load the training set for a test."""

    def before_train(self, runner) -> None:
        """Take up the scores of a resumed run; those of another metric count for nothing."""
        hub = runner.message_hub
        kept = hub.runtime_info.get("monitored", {})
        if kept.get("monitor", self.monitor) == self.monitor:
            self._scores = [list(pair) for pair in kept.get("scores", [])]
        else:
            runner.logger.info(f"--monitor {self.monitor}, before {kept['monitor']}: the best is sought anew")
            hub.update_info("best_score", -math.inf if self.rule == "greater" else math.inf)
            hub.update_info("best_ckpt", None)
        for _, score in self._scores:
            self._is_stagnant(score)

    def after_val_epoch(self, runner, metrics: dict[str, float]) -> None:
        """Decide whether to stop.

        Raises:
            ValueError: the validation does not return the metric.
        """
        if self.monitor not in metrics:
            raise InvalidConfigError(
                f"--monitor {self.monitor}: the validation returns only {', '.join(sorted(metrics))}"
            )
        score = float(metrics[self.monitor])
        if not math.isfinite(score):
            runner.logger.warning(f"{self.monitor} is {score}: it counts as no new best")
        self._scores.append([runner.iter, score])
        runner.message_hub.update_info("monitored", dict(monitor=self.monitor, scores=self._scores))
        if self._is_stagnant(score):
            runner.train_loop.stop_training = True

    def after_train(self, runner) -> None:
        """Say why the run has stopped, or whether it may go on."""
        if runner.iter >= runner.max_iters:
            text = rising_text(self.monitor, [score for _, score in self._scores], self.rule)
            if text:
                by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
                length = math.ceil(1.5 * (runner.max_epochs if by_epoch else runner.max_iters))
                command = extending_command(sys.argv, length, runner.world_size, by_epoch)
                runner.logger.info(f"{text}: it may go on: {command}")
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
    """Say that a score was still getting better when the run ended; empty if it was not, or if one can't tell.

    It was, if the last validation is the best of all, and the line through the last third of the validations
    (three at least) gets better by more than 1 % of the score and by more than twice the scatter about that
    line (the standard deviation of its residuals). With fewer than three validations one can't tell.

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
        length: the new one, in iterations.
        num_processes: how many `tools/dist_train.sh` started, if it did.
        by_epoch: the length counts epochs.
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


@METRICS.register_module()
class CrossEntropyMetric(BaseMetric):
    """Return `val/loss`: the plain cross entropy of the prediction at full size.

    The mean over all labelled pixels of the set, of the scores that the IoU is computed from. It is not the
    loss of the training: no class weights, no auxiliary head, no sampling of hard pixels, no augmentation.

    Args:
        ignore_index: train id of the pixels that don't count.
        **kwargs: those of BaseMetric.
    """

    default_prefix = "val"

    def __init__(self, ignore_index: int = 255, **kwargs) -> None:
        super().__init__(**kwargs)
        self.ignore_index = ignore_index

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Sum up each image of a batch."""
        if not self.results:  # MMEngine would show a mean over validations, and the old value during the next one
            MessageHub.get_current_instance().log_scalars.pop(f"val/{self.prefix}/loss", None)
        for sample in data_samples:
            scores = sample["seg_logits"]["data"]  # class, height, width
            if len(scores) == 1:  # a model of one output has turned it into a probability
                scores = torch.cat([1 - scores, scores]).clamp_min(1e-7).log()
            target = sample["gt_sem_seg"]["data"].squeeze(0).long().to(scores.device)
            rows = zip(scores.split(_ROWS, dim=1), target.split(_ROWS), strict=True)
            losses = [F.cross_entropy(s.float()[None], t[None], ignore_index=self.ignore_index, reduction="sum")
                      for s, t in rows]  # fmt: skip
            count = int((target != self.ignore_index).sum())
            self.results.append((math.fsum(torch.stack(losses).tolist()), count))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Divide the sum of all images by their labelled pixels."""
        total, count = (math.fsum(column) for column in zip(*results, strict=True))
        return {"loss": total / count if count else math.nan}


@HOOKS.register_module()
class AveragedWeightsHook(EMAHook):
    """Validate, save and test an exponential moving average of the weights, by MMEngine's EMAHook.

    The average looks back over the last sixteenth of the run so far, whatever its length: the momentum after t
    iterations is 16 / (16 + t), which is the power function average of Karras et al., "Analyzing and Improving
    the Training Dynamics of Diffusion Models", 2024, but not less than `momentum`. The running statistics of
    the batch norms are averaged with the weights that they belong to.

    In a checkpoint `state_dict` holds the averaged weights, so that testing and inference use them, and
    `ema_state_dict` those that learn. Unlike EMAHook it can be saved in the middle of a validation, while the
    two are swapped. `ema_momentum` in the log and in TensorBoard is that of each validation.

    Args:
        momentum: least weight of the newest weights; 0.0002, MMEngine's, is reached after 80k iterations.
    """

    def __init__(self, momentum: float = 0.0002) -> None:
        super().__init__("MomentumAnnealingEMA", momentum=momentum, gamma=_AVERAGED_PART, update_buffers=True)
        self._is_swapped = False

    def before_run(self, runner) -> None:
        """Do nothing yet: a test, which loads averaged weights, needs no second set."""

    def before_train(self, runner) -> None:
        """Begin the average, unless it was loaded, and say whose validation it is."""
        if not hasattr(self, "ema_model"):
            super().before_run(runner)
        super().before_train(runner)
        runner.logger.info("EMA: the weights that are validated, saved and tested are averaged over iterations")

    def before_val_epoch(self, runner) -> None:
        """Put the averaged weights into the model."""
        if get_world_size() > 1:  # without SyncBN every process has running statistics of its own
            for buffer in self.ema_model.buffers():
                broadcast(buffer)
        super().before_val_epoch(runner)
        self._is_swapped = True

    def after_val_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Put the learning weights back."""
        super().after_val_epoch(runner, metrics)
        self._is_swapped = False
        momentum = max(self.ema_model.momentum, _AVERAGED_PART / (_AVERAGED_PART + int(self.ema_model.steps)))
        runner.message_hub.update_scalar("val/ema_momentum", momentum)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Store both."""
        if self._is_swapped:
            checkpoint["ema_state_dict"] = self.ema_model.state_dict()
        else:
            super().before_save_checkpoint(runner, checkpoint)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Take up both when a run is resumed; a run that starts from weights begins its average with them."""
        if runner.cfg.get("resume"):
            super().before_run(runner)
            super().after_load_checkpoint(runner, checkpoint)

    def before_test_epoch(self, runner) -> None:
        """Test the weights that were loaded."""

    def after_test_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Leave them in place."""
