"""One step before the first: can this run succeed, how long will it take, what will it wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dist import all_gather_object, get_rank, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.nn.parallel import DistributedDataParallel

from semseg.config.errors import explained
from semseg.config.patch import Patch, changes
from semseg.errors import InvalidConfigError
from semseg.system.machine import format_bytes
from semseg.system.stopping import Stopped
from semseg.training.epochs import ends_with_one_image
from semseg.training.options import PreflightOptions
from semseg.training.preflight.batches import Largest, batch_size_of, find_largest, load_batch, path_in_words
from semseg.training.preflight.disk import check_disk
from semseg.training.preflight.forecast import duration, num_validations, pace
from semseg.training.preflight.meter import Cost
from semseg.training.preflight.restore import untouched
from semseg.training.preflight.steps import Training, try_judgement, try_training, try_validation

_NUM_TIMED = 4  # samples of the training, at least
_NUM_NAMED = 4  # parameters in a sentence


def configure(cfg: Config, options: PreflightOptions) -> Patch:
    """Let a training try its steps before it takes them, unless `check` is False; `dry_run` ends it after the trial.

    Raises:
        ValueError: a dry run without the trial.
    """
    if options.dry_run and not options.check:
        raise InvalidConfigError("--dry-run checks and ends, --no-check leaves the checks out; leave one of them out")

    def edit(edited: Config) -> None:
        others = [hook for hook in edited.get("custom_hooks") or [] if hook["type"] != "PreflightHook"]
        trial = [dict(type="PreflightHook", dry_run=options.dry_run)] if options.check else []
        edited.custom_hooks = [*others, *trial]

    return changes(cfg, edit)


@HOOKS.register_module()
class PreflightHook(Hook):
    """Try one training step and one validation step of the run, and take them back.

    The training step takes a batch out of the run's own pipeline; the validation step the largest picture of
    the set. What does not fit into memory or onto the disk ends the run here, with what to do. The log gets
    the time and memory of both steps, the time of the whole run, and whether the loader or the model bounds it.
    The run that follows is the same, bit for bit.

    Args:
        dry_run: end the run here, in any case.
    """

    priority = "LOW"  # after the hooks that prepare the model, before one that validates when a run is resumed

    def __init__(self, dry_run: bool = False) -> None:
        self.dry_run = dry_run

    def before_train(self, runner: Runner) -> None:
        """Try the steps.

        Raises:
            ValueError: the run would fail; the sentence says what to do.
            Stopped: it was a dry run.
        """
        if runner.iter < runner.max_iters:
            if _can_be_tried(runner):
                self._try(runner)
            else:
                runner.logger.info(f"preflight: left out, it does not know {type(runner.model).__name__}")
        if self.dry_run:
            raise Stopped(f"dry run: nothing stands in the way; the log is in {runner.log_dir}", 0)

    def _try(self, runner: Runner) -> None:
        start = time.perf_counter()
        with untouched(runner) as put_back_weights:
            training, sample_s, crop = _train(runner)
            put_back_weights()
            validation = None if runner.val_loop is None else _validate(runner, crop)
        _together(lambda: check_disk(runner, training.state_bytes))
        loader = runner.train_dataloader
        rhythm = pace(training.cost.seconds, sample_s, batch_size_of(loader), loader.num_workers, runner.cfg.launcher)
        whole_s = (runner.max_iters - runner.iter) * rhythm.seconds
        steps = f"training step {_in_words(training.cost)}"
        if validation is not None:
            largest, cost, validation_s = validation
            whole_s += num_validations(runner) * validation_s
            size = "x".join(map(str, largest.size))
            steps += f"; validation of {path_in_words(largest.path)} ({size}) {_in_words(cost)}"
        took = duration(time.perf_counter() - start)
        runner.logger.info(f"preflight: {steps}")
        runner.logger.info(f"preflight: about {duration(whole_s)} in all; {rhythm.verdict}; this took {took}")
        if training.without_gradient:
            unreached = _unreached(training.without_gradient)
            runner.logger.warning(f"{unreached}: it stays as it is; take what no loss needs out of the model")


def _can_be_tried(runner: Runner) -> bool:
    is_plain = not is_model_wrapper(runner.model) or isinstance(runner.model, DistributedDataParallel)
    return is_plain and isinstance(runner.optim_wrapper, OptimWrapper)


def _train(runner: Runner) -> tuple[Training, float, tuple[int, int]]:
    """Return what a training step is like, the seconds of one sample, and its height and width."""
    loader, rank, seed = runner.train_dataloader, get_rank(), int(runner.seed or 0)
    num_samples = max(batch_size_of(loader), _NUM_TIMED)
    chosen = np.random.default_rng([seed, rank]).integers(len(loader.dataset), size=num_samples)
    with explained(runner.cfg, "a sample of the training"):
        loaded = _together(lambda: load_batch(loader, chosen.tolist(), seed + rank))
    crop = tuple(max(sides) for sides in zip(*(picture.shape[-2:] for picture in loaded.batch["inputs"]), strict=True))
    with explained(runner.cfg, f"a training step on {_shown(crop)}", runner.model):
        training = _together(lambda: try_training(runner, loaded.batch))
    if ends_with_one_image(runner):
        _together(lambda: _try_one_image(runner, load_batch(loader, chosen[:1].tolist(), seed + rank).batch))
    waits = isinstance(runner.model, DistributedDataParallel) and not runner.model.find_unused_parameters
    if training.without_gradient and waits:  # the same in every process
        raise InvalidConfigError(
            f"{_unreached(training.without_gradient)}, so nothing teaches it, and several processes would wait for"
            " that gradient for ever: take it out of the model, or train the rest with --cfg-options"
            " find_unused_parameters=True"
        )
    return training._replace(cost=_worst(training.cost)), max(all_gather_object(loaded.seconds)), crop


def _validate(runner: Runner, crop: tuple[int, int]) -> tuple[Largest, Cost, float]:
    """Return the largest picture, what predicting it costs, and the seconds of a whole validation."""
    loader = runner.val_dataloader
    found = _together(lambda: find_largest(loader.dataset) if is_main_process() else None)
    largest = all_gather_object(found)[0]
    batch_size = batch_size_of(loader)
    with explained(runner.cfg, "a sample of the validation"):
        loaded = _together(lambda: load_batch(loader, [largest.index] * batch_size, 0))
    seen = _shown(loaded.batch["inputs"][0].shape[-2:])
    with explained(runner.cfg, f"the validation of {path_in_words(largest.path)} at {seen}", runner.model):
        cost = _worst(_together(lambda: try_validation(runner, loaded.batch, largest, crop)))
        _together(lambda: _try_hooks(runner, loaded.batch, crop))
    load_s = loaded.seconds / max(1, loader.num_workers)
    picture_s = max(cost.seconds / batch_size, load_s) if loader.num_workers else cost.seconds / batch_size + load_s
    return largest, cost, picture_s * largest.mean_share * len(loader.dataset) / get_world_size()


def _try_hooks(runner: Runner, batch: dict, crop: tuple[int, int]) -> None:
    """Judge a prediction, and let the hooks prepare a validation that are marked for that: hours later is too late."""
    try_judgement(runner, batch, crop)
    for hook in runner.hooks:
        if getattr(hook, "is_tried", False):
            hook.before_val_epoch(runner)


def _try_one_image(runner: Runner, batch: dict) -> None:
    try:
        try_training(runner, batch)
    except Exception as error:
        raise InvalidConfigError(
            "the last batch of an epoch holds 1 image, on which a training step fails"
            f" ({str(error).strip().partition(chr(10))[0]}): leave it out with --cfg-options"
            " train_dataloader.drop_last=True, or take another train_dataloader.batch_size"
        ) from error


def _together(step: Callable[[], Any]) -> Any:
    """Run a step in every process and return its outcome; all end where one has met a fault, none waits."""
    outcome, fault = None, None
    try:
        outcome = step()
    except Exception as error:
        fault = error
    faults = all_gather_object(None if fault is None else str(fault) or type(fault).__name__)
    if fault is not None:
        raise fault
    for rank, text in enumerate(faults):
        if text is not None:
            raise InvalidConfigError(f"process {rank}: {text}")
    return outcome


def _worst(cost: Cost) -> Cost:
    return Cost(*map(max, zip(*all_gather_object(tuple(cost)), strict=True)))


def _shown(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]} (height x width)"


def _in_words(cost: Cost) -> str:
    return f"{duration(cost.seconds)}, {format_bytes(cost.num_bytes)}"


def _unreached(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return f"no gradient reaches {', '.join(names[:_NUM_NAMED])}{more}"
