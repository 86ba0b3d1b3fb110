"""Try some steps of a config in a process of its own: `python -m semseg.planning.trial CONFIG RESULT.json`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from semseg.errors import SemsegError
from semseg.planning.machine_facts import Trial
from semseg.system.allocator import keep_freed_memory
from semseg.system.child_process import describe_failure, run_python

_NUM_STEPS, _MAX_S = 40, 40.0  # the steps end with the first of them
_NUM_WARM_UPS = 3
_NUM_SAMPLES, _NUM_PICTURES = 8, 6
_LEARNING_RATE = 1e-8  # the schedule of a long run may end in NaN within a few steps


def run_trial(config: Path, device: str) -> Trial:
    """Measure the steps of a config, in a process of its own.

    Raises:
        ChildProcessError: the steps fail; the message says why.
    """
    with tempfile.TemporaryDirectory() as folder:
        result, output = Path(folder, "trial.json"), Path(folder, "output.txt")
        ended = run_python(["-m", "semseg.planning.trial", str(config), str(result), device], output)
        if ended.exit_code or not result.is_file():
            raise ChildProcessError(f"the planned config cannot be tried: the trial {describe_failure(ended)}")
        return Trial(**json.loads(result.read_text()))


def main(config: str, result: str, device: str) -> None:
    """Run the steps and write their figures as JSON."""
    started = time.perf_counter()
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import numpy as np
    import torch
    from mmengine.hooks import Hook
    from mmseg.registry import RUNNERS

    from semseg.config import load_config
    from semseg.training import for_training
    from semseg.training.preflight.batches import load_batch
    from semseg.training.preflight.meter import Meter

    class Clock(Hook):
        """Note the time of each step, and end the run after some seconds."""

        def __init__(self) -> None:
            self.times: list[float] = []

        def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.times.append(time.perf_counter())
            if self.times[-1] - self.times[0] > _MAX_S and len(self.times) > _NUM_WARM_UPS + 1:
                raise _Enough

    with tempfile.TemporaryDirectory() as work_dir:
        options = [
            f"train_cfg.max_iters={_NUM_STEPS}",
            f"train_cfg.val_begin={_NUM_STEPS + 1}",
            f"default_hooks.checkpoint.interval={_NUM_STEPS + 1}",
            f"optim_wrapper.optimizer.lr={_LEARNING_RATE}",
        ]
        cfg = for_training(load_config(config, options, work_dir=work_dir, seed=0), check=False)
        cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook["type"] in ("ChannelsLastHook", "SeedHook")]
        cfg.default_hooks.checkpoint = None
        cfg.visualizer.vis_backends = []
        keep_freed_memory()  # as a training does: without it, steps take longer
        runner: Any = RUNNERS.build(cast(dict, cfg))  # MMEngine takes a Config as well
        clock, meter = Clock(), Meter(next(runner.model.parameters()).device)
        runner.register_hook(clock)
        start_s = time.perf_counter() - started
        cost = meter.measure(lambda: _until_enough(runner))
        steps = np.diff(clock.times)[min(_NUM_WARM_UPS, max(0, len(clock.times) - 2)) :]
        loader = runner.train_dataloader
        indices = np.linspace(0, len(loader.dataset) - 1, _NUM_SAMPLES).astype(int).tolist()
        trial = Trial(
            step_s=float(np.median(steps)),
            sample_s=load_batch(loader, indices, 0).seconds,
            picture_s=_picture_s(runner),
            start_s=start_s,
            step_bytes=cost.num_bytes,
            batch_size=loader.batch_size,
        )
    Path(result).write_text(json.dumps(trial._asdict()))


class _Enough(Exception):
    """The steps have taken long enough."""


def _until_enough(runner: Any) -> None:
    with contextlib.suppress(_Enough):
        runner.train()


def _picture_s(runner: Any) -> float:
    """Return the seconds to load and validate a picture, after a first one that warms up."""
    import torch

    own = {**runner.cfg.val_dataloader, "num_workers": 0, "persistent_workers": False}
    loader, model = runner.build_dataloader(own), runner.model
    model.eval()
    times = [time.perf_counter()]
    with torch.no_grad():
        for data in loader:
            model.val_step(data)
            times.append(time.perf_counter())
            if len(times) > _NUM_PICTURES + 1:
                break
    seconds = [after - before for before, after in pairwise(times)]
    later = sorted(seconds[1:] or seconds)
    return later[len(later) // 2] / (loader.batch_size or 1)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SemsegError as error:
        sys.exit(f"error: {error}")
