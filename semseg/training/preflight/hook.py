"""A trial before the first iteration: will this run succeed, how long will it take, and what will bound its speed?"""

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

from semseg.config.build_errors import explained
from semseg.config.hooks import ensure_hook, remove_hooks
from semseg.config.options import STOCK
from semseg.config.patch import Patch, changes
from semseg.errors import InvalidConfigError, SemsegError
from semseg.system.machine import format_bytes
from semseg.system.stopping import Stopped
from semseg.system.wording import listing
from semseg.training.epochs import ends_with_one_image
from semseg.training.options import PreflightOptions
from semseg.training.preflight.batches import Largest, batch_size_of, find_largest, load_batch, shorten_path
from semseg.training.preflight.disk import check_disk
from semseg.training.preflight.forecast import estimate_pace, format_duration, num_validations
from semseg.training.preflight.meter import Cost
from semseg.training.preflight.restore import preserved_state
from semseg.training.preflight.steps import Training, try_metrics, try_training, try_validation

_NUM_TIMED = 4  # samples of the training, at least
_NUM_NAMED = 4  # parameters in a message


def configure(cfg: Config, options: PreflightOptions) -> Patch:
    """Add the trial of a training's steps, unless `check` is False; `dry_run` ends the run after the trial.

    A run with `performance='stock'` has no trial, except a dry run.

    Raises:
        ValueError: a dry run without the trial.
    """
    if options.dry_run and not options.check:
        raise InvalidConfigError("`dry_run` needs the checks; leave `check` out", code="E-config-conflict")

    def edit(edited: Config) -> None:
        remove_hooks(edited, "PreflightHook")
        if options.check and (options.performance != STOCK or options.dry_run):
            ensure_hook(edited, dict(type="PreflightHook", dry_run=options.dry_run))

    return changes(cfg, edit)


@HOOKS.register_module()
class PreflightHook(Hook):
    """Try one training step and one validation step of the run, and undo them.

    The training step uses a batch from the run's own pipeline, the validation step the largest picture of the set. If
    something does not fit into memory or onto the disk, the run ends here with a message that says what to do. The log
    gets the time and memory of both steps, the time of the whole run, and whether the loader or the model bounds it.
    The run that follows is the same, bit for bit, as without the trial.

    Args:
        dry_run: always end the run here.
    """

    priority = "LOW"  # after the hooks that prepare the model, before one that validates when a run is resumed

    def __init__(self, dry_run: bool = False) -> None:
        self.dry_run = dry_run

    def before_train(self, runner: Runner) -> None:
        """Try the steps.

        Raises:
            ValueError: the run would fail; the message says what to do.
            Stopped: it was a dry run.
        """
        if runner.iter < runner.max_iters:
            if _can_be_tried(runner):
                self._try(runner)
            else:
                runner.logger.info(f"preflight: skipped, it does not support {type(runner.model).__name__}")
        if self.dry_run:
            raise Stopped(f"dry run: nothing stands in the way; the log is in {runner.log_dir}", 0)

    def _try(self, runner: Runner) -> None:
        start = time.perf_counter()
        with preserved_state(runner) as restore_weights:
            training, sample_s, crop = _try_training(runner)
            restore_weights()
            validation = None if runner.val_loop is None else _try_validation(runner, crop)
        _in_all_processes(lambda: check_disk(runner, training.state_bytes))
        loader = runner.train_dataloader
        batch_size, launcher = batch_size_of(loader), runner.cfg.launcher
        pace = estimate_pace(training.cost.seconds, sample_s, batch_size, loader.num_workers, launcher)
        whole_s = (runner.max_iters - runner.iter) * pace.seconds
        steps = f"training step {_format_cost(training.cost)}"
        if validation is not None:
            largest, cost, validation_s = validation
            whole_s += num_validations(runner) * validation_s
            size = "x".join(map(str, largest.size))
            steps += f"; validation of {shorten_path(largest.path)} ({size}) {_format_cost(cost)}"
        took = format_duration(time.perf_counter() - start)
        runner.logger.info(f"preflight: {steps}")
        runner.logger.info(f"preflight: about {format_duration(whole_s)} in all; {pace.verdict}; this took {took}")
        if training.without_gradient:
            fault = _describe_without_gradient(training.without_gradient)
            runner.logger.warning(f"{fault}: it stays as it is; take what no loss needs out of the model")


def _can_be_tried(runner: Runner) -> bool:
    is_plain = not is_model_wrapper(runner.model) or isinstance(runner.model, DistributedDataParallel)
    return is_plain and isinstance(runner.optim_wrapper, OptimWrapper)


def _try_training(runner: Runner) -> tuple[Training, float, tuple[int, int]]:
    """Return the result of a training step, the seconds for loading one sample, and the height and width of a crop."""
    loader, rank, seed = runner.train_dataloader, get_rank(), runner.seed or 0
    dataset: Any = loader.dataset
    num_samples = max(batch_size_of(loader), _NUM_TIMED)
    drawn: Any = np.random.default_rng([seed, rank]).integers(len(dataset), size=num_samples)
    indices: list[int] = drawn.tolist()
    with explained(runner.cfg, "a sample of the training"):
        loaded = _in_all_processes(lambda: load_batch(loader, indices, seed + rank))
    shapes = [picture.shape[-2:] for picture in loaded.batch["inputs"]]
    crop = max(height for height, _ in shapes), max(width for _, width in shapes)
    with explained(runner.cfg, f"a training step on {_format_size(crop)}", runner.model):
        training = _in_all_processes(lambda: try_training(runner, loaded.batch))
    if ends_with_one_image(runner):
        _in_all_processes(lambda: _try_one_image(runner, load_batch(loader, indices[:1], seed + rank).batch))
    waits = isinstance(runner.model, DistributedDataParallel) and not runner.model.find_unused_parameters
    if training.without_gradient and waits:  # the same in every process
        raise InvalidConfigError(
            f"{_describe_without_gradient(training.without_gradient)}, so nothing trains it, and several processes"
            " would wait for that gradient for ever: take it out of the model, or train the rest with `cfg_options`"
            " find_unused_parameters=True",
            code="E-config-no-gradient",
        )
    return training._replace(cost=_max_cost(training.cost)), max(all_gather_object(loaded.seconds)), crop


def _try_validation(runner: Runner, crop: tuple[int, int]) -> tuple[Largest, Cost, float]:
    """Return the largest picture, the cost of its prediction, and the seconds of a whole validation."""
    loader = runner.val_dataloader
    dataset: Any = loader.dataset
    largest = _in_all_processes(lambda: find_largest(dataset) if is_main_process() else None)
    largest = all_gather_object(largest)[0]
    batch_size = batch_size_of(loader)
    with explained(runner.cfg, "a sample of the validation"):
        loaded = _in_all_processes(lambda: load_batch(loader, [largest.index] * batch_size, 0))
    size = _format_size(loaded.batch["inputs"][0].shape[-2:])
    with explained(runner.cfg, f"the validation of {shorten_path(largest.path)} at {size}", runner.model):
        cost = _max_cost(_in_all_processes(lambda: try_validation(runner, loaded.batch, largest, crop)))
        _in_all_processes(lambda: _try_metrics_and_hooks(runner, loaded.batch, crop))
    load_s = loaded.seconds / max(1, loader.num_workers)
    picture_s = max(cost.seconds / batch_size, load_s) if loader.num_workers else cost.seconds / batch_size + load_s
    return largest, cost, picture_s * largest.mean_share * len(dataset) / get_world_size()


def _try_metrics_and_hooks(runner: Runner, batch: dict, crop: tuple[int, int]) -> None:
    """Evaluate a prediction, and call `before_val_epoch` of the hooks with `is_tried`: their faults should show now."""
    try_metrics(runner, batch, crop)
    for hook in runner.hooks:
        if getattr(hook, "is_tried", False):
            hook.before_val_epoch(runner)


def _try_one_image(runner: Runner, batch: dict) -> None:
    try:
        try_training(runner, batch)
    except Exception as error:
        raise InvalidConfigError(
            "the last batch of an epoch holds 1 image, on which a training step fails"
            f" ({str(error).strip().partition(chr(10))[0]}): leave it out with `cfg_options`"
            " train_dataloader.drop_last=True, or take another train_dataloader.batch_size",
            code="E-config-last-batch",
        ) from error


def _in_all_processes(step: Callable[[], Any]) -> Any:
    """Run a step in every process and return its result; if it fails in one process, it raises in all."""
    result, fault = None, None
    try:
        result = step()
    except Exception as error:
        fault = error
    code = fault.code if isinstance(fault, SemsegError) else "E-config-process"
    faults = all_gather_object(None if fault is None else (str(fault) or type(fault).__name__, code))
    if fault is not None:
        raise fault
    for rank, described in enumerate(faults):
        if described is not None:
            text, code = described
            raise InvalidConfigError(f"process {rank}: {text}", code=code)
    return result


def _max_cost(cost: Cost) -> Cost:
    """Return the largest costs over all processes."""
    costs = [Cost(*values) for values in all_gather_object(tuple(cost))]
    return Cost(max(each.seconds for each in costs), max(each.num_bytes for each in costs))


def _format_size(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]} (height x width)"


def _format_cost(cost: Cost) -> str:
    return f"{format_duration(cost.seconds)}, {format_bytes(cost.num_bytes)}"


def _describe_without_gradient(names: Sequence[str]) -> str:
    return f"no gradient reaches {listing(names, _NUM_NAMED)}"
