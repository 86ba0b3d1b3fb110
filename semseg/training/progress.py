"""A progress bar on the terminal."""

from __future__ import annotations

import atexit
import logging
import sys
from typing import Any, cast

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Show a live bar with loss and remaining time, if the output is a terminal.

    The lines of the log appear above it.
    """

    priority = "VERY_LOW"

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: Any = None  # of the validation or test that runs now
        self._train_task: Any = None

    def before_run(self, runner: Runner) -> None:
        """Open the bar."""
        if not (is_main_process() and sys.stdout.isatty()):
            return
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(),
            redirect_stdout=True,
        )
        self._progress.start()
        atexit.register(self.after_run, runner)  # restores the terminal also when the run ends early
        _log_to_stdout(runner)  # rich has replaced it by a stream that prints above the bar

    def after_run(self, runner: Runner) -> None:
        """Close the bar."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            _log_to_stdout(runner)

    def before_train(self, runner: Runner) -> None:
        """Start the bar of the training loop."""
        if self._progress is not None:
            self._train_task = self._progress.add_task("train", total=runner.max_iters, completed=runner.iter, note="")

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Advance the bar."""
        if self._progress is not None:
            note = f"loss {float(outputs['loss']):.3f}" if outputs and "loss" in outputs else ""
            self._progress.update(self._train_task, completed=runner.iter + 1, note=note)

    def before_val_epoch(self, runner: Runner) -> None:
        """Start the bar of a validation."""
        self._start("validate", runner.val_dataloader)

    def before_test_epoch(self, runner: Runner) -> None:
        """Start the bar of a test."""
        self._start("test", runner.test_dataloader)

    def _start(self, description: str, dataloader: Any) -> None:
        if self._progress is not None:
            self._task = self._progress.add_task(description, total=len(dataloader), note="")

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Advance the bar."""
        if self._progress is not None:
            self._progress.advance(self._task)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Advance the bar."""
        if self._progress is not None:
            self._progress.advance(self._task)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Remove the bar of the validation."""
        if self._progress is not None:
            self._progress.remove_task(self._task)


def _log_to_stdout(runner: Runner) -> None:
    """Let the log write to the stream that `sys.stdout` is now."""
    for handler in cast("list[logging.StreamHandler]", runner.logger.handlers[:1]):
        handler.setStream(sys.stdout)
