"""Save and stop a run at a signal or at a time limit."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import worker_init_fn
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from semseg.config.patch import Patch
from semseg.system.stopping import GIVEN_UP, Stopped
from semseg.training.checkpointing import SafeCheckpointHook
from semseg.training.options import StoppingOptions
from semseg.training.runner_parts import optim_wrapper_of

SIGNALS = [signal.SIGINT, signal.SIGTERM] + ([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else [])
"""Ctrl-C; what schedulers and containers send before they kill; Slurm's warning (`--signal=USR1@120`)."""
OUT_OF_TIME = 124  # exit code, as of timeout(1)
_SAME_SIGNAL_S = 2.0  # a launcher forwards the signal that its processes already got from the terminal


def configure(cfg: Config, options: StoppingOptions) -> Patch:
    """Stop with a checkpoint at signals, and after `max_time_s` seconds."""
    return Patch(hooks=[dict(type="StopHook", max_time_s=options.max_time_s)])


@FUNCTIONS.register_module()
def deaf_worker_init_fn(worker_id: int, seed: int | None = None, num_workers: int = 0) -> None:
    """Let a worker of a data loader ignore signals, except SIGTERM from its parent process.

    Ctrl-C, Slurm and systemd send signals to every process of a group, but the step that is being finished needs its
    data. SIGTERM from the parent process still ends the worker.

    Args:
        worker_id: number of the worker.
        seed: of the run: the worker gets the random states that MMEngine gives it; None: those of PyTorch.
        num_workers: of each process.
    """
    if seed is not None:
        worker_init_fn(worker_id, num_workers, int(os.environ.get("RANK", 0)), seed)
    for number in SIGNALS:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on macOS
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_exit_on_sigterm_of_parent, daemon=True).start()


def _exit_on_sigterm_of_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


@HOOKS.register_module()
class StopHook(Hook):
    """When a signal comes or the time is up: finish the step, agree across the processes, save, and stop.

    The exit code is 128 + the number of the signal, or 124 for the time. A second signal ends the process immediately.

    Args:
        max_time_s: seconds from the start of the training; None for no limit.
    """

    priority = "LOWEST"  # after everything that belongs to the step

    def __init__(self, max_time_s: float | None = None) -> None:
        self.max_time_s = max_time_s
        self._signal_code, self._signal_time_s = 0, 0.0  # exit code for the signal that came; 0: none
        self._requested_code = 0
        self._group: Any = None

    def before_run(self, runner: Runner) -> None:
        """Start the clock."""
        self._deadline = None if self.max_time_s is None else time.monotonic() + self.max_time_s
        if get_world_size() > 1:
            self._group = torch.distributed.new_group(backend="gloo")  # needs no synchronisation of a GPU

    def before_train(self, runner: Runner) -> None:
        """Handle signals from now on, at the end of the step; before this there is nothing to save."""
        for number in SIGNALS:
            signal.signal(number, self._handle_signal)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Stop if a signal came or the time is up, and the optimizer has made its step."""
        code = self._agree_on_code()
        if code and optim_wrapper_of(runner).should_update() and not self.is_last_train_iter(runner):
            self._stop(runner, code, runner.iter + 1)

    def request(self, code: int) -> None:
        """Stop after this step, in all processes, with an exit code."""
        self._requested_code = code

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Stop in the middle of a validation; the resumed run repeats it."""
        code = self._agree_on_code()
        if code:
            self._stop(runner, code, runner.iter)

    def after_run(self, runner: Runner) -> None:
        """Restore the default handling of the signals."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)

    def _handle_signal(self, number: int, frame: Any) -> None:
        if not self._signal_code:
            self._signal_code, self._signal_time_s = 128 + number, time.monotonic()
            if is_main_process():
                again = "press Ctrl-C again" if number == signal.SIGINT else "send it again"
                print(
                    f"\n{signal.Signals(number).name}: finishing the step and saving; {again} to quit immediately",
                    flush=True,
                )
        elif time.monotonic() - self._signal_time_s > _SAME_SIGNAL_S:
            os._exit(128 + number)

    def _agree_on_code(self) -> int:
        """Return the exit code that the processes have agreed on, 0 to continue."""
        code = self._signal_code or self._requested_code
        if not code and self._deadline is not None and time.monotonic() > self._deadline:
            code = OUT_OF_TIME
        if self._group is None:
            return code
        highest = torch.tensor(code)
        torch.distributed.all_reduce(highest, torch.distributed.ReduceOp.MAX, group=self._group)
        return int(highest)

    def _stop(self, runner: Runner, code: int, num_iters: int) -> None:
        reasons = {
            OUT_OF_TIME: "time is up",
            GIVEN_UP: "stopped, because too many files cannot be read (see the warnings)",
        }
        reason = reasons.get(code) or f"stopped by {signal.Signals(code - 128).name}"
        saved = [hook.save(runner, num_iters) for hook in runner.hooks if isinstance(hook, SafeCheckpointHook)]
        rest = (
            f"saved as {saved[0]}; go on with --resume" if saved else "nothing saved: the run has no SafeCheckpointHook"
        )
        if self._group is not None:  # the first process that ends would end the others
            torch.distributed.barrier(group=self._group)
        is_shown = code != GIVEN_UP or is_main_process()  # every process shows the message of this code
        raise Stopped(f"{reason} after iteration {num_iters}: {rest}" if is_shown else "", code)
