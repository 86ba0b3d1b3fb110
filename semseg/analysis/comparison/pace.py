"""Measure how long a training step takes, and so how many of them fit into a budget of minutes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from semseg.analysis.comparison.plan import Model, Plan, command_words
from semseg.analysis.curves import read_curves
from semseg.checkpoints.facts import hardware
from semseg.config.schedule import scale_schedule
from semseg.errors import MissingInputError
from semseg.system.atomic import atomic_path
from semseg.system.child_process import describe_failure, run_python

_NUM_STEPS, _MAX_TIME = 40, "90s"  # the measurement ends with the first of them
_LOG_INTERVAL = 5  # writing a line after each step takes a part of a short step
_LEARNING_RATE = 1e-8  # a rate for a long run, after a warm-up of two steps, may end in NaN
_OUT_OF_TIME = 124  # exit code of a training at its time limit


def iterations_of(plan: Plan, model: Model) -> int:
    """Return the number of iterations of a training, and measure its pace if it is not known yet.

    The pace is measured once for each model and written to `pace.json`: all seeds, on whatever machine, train for the
    same number of iterations.

    Raises:
        ChildProcessError: the measurement failed; the message is that of the training.
    """
    if plan.budget.iters is not None:
        return plan.budget.iters
    assert plan.budget.minutes is not None
    pace = read_pace(model) or _measure_pace(plan, model)
    return max(1, int(60 * plan.budget.minutes / pace["step_s"]))


def read_pace(model: Model) -> dict[str, Any] | None:
    """Return the measured pace: `step_s`, `steps`, `hardware`, and the `digest` of the config; None without one."""
    path = _pace_path(model)
    pace = json.loads(path.read_text()) if path.is_file() else None
    return pace if pace is not None and pace["digest"] == model.digest else None


def _pace_path(model: Model) -> Path:
    return model.folder / "pace.json"


def _measure_pace(plan: Plan, model: Model) -> dict[str, Any]:
    """Measure the pace and write it to its file."""
    interval = _LOG_INTERVAL
    times = _measure(plan, model, interval)
    if len(times) == 0:  # so many steps don't fit into the time
        interval = 1
        times = _measure(plan, model, interval)
    if len(times) == 0:
        raise ChildProcessError(
            f"the time of a step cannot be measured: none ended within {_MAX_TIME}; give `iters` instead"
        )
    later = times[len(times) // 2 :]  # the first steps are slower
    pace = {
        "step_s": float(np.median(later)),
        "steps": len(times) * interval,
        "digest": model.digest,
        "hardware": hardware(),
    }
    with atomic_path(_pace_path(model)) as temporary:
        temporary.write_text(json.dumps(pace, indent=2) + "\n")
    return pace


def _measure(plan: Plan, model: Model, log_interval: int) -> np.ndarray:
    """Run the first steps of a training, and return the seconds of a step, averaged over `log_interval` steps each."""
    folder, output_path = model.folder / "pace", model.folder / "pace_output.txt"
    shutil.rmtree(folder, ignore_errors=True)  # of a measurement that was interrupted
    options = short_run_options(model.cfg, log_interval)
    words = ["-m", "semseg", "train", model.given, "--work-dir", str(folder), "--seed", "0", "--no-check"]
    words += ["--max-time", _MAX_TIME, *command_words(model, plan.options, options)]
    ended = run_python(words, output_path)
    if ended.exit_code not in (0, _OUT_OF_TIME):
        raise ChildProcessError(f"the time of a step cannot be measured: train {describe_failure(ended)}")
    try:
        times = read_curves(folder)["time"].values
    except MissingInputError:  # nothing was logged
        times = np.empty(0)
    shutil.rmtree(folder)
    return times


def short_run_options(cfg: Config, log_interval: int) -> list[str]:
    """Return the options of a training that only shows how long its steps take, and logs it every few steps."""
    options = [*scale_schedule(cfg, _NUM_STEPS), f"train_cfg.val_begin={_NUM_STEPS + 1}"]
    if (cfg.get("default_hooks") or {}).get("logger"):
        options.append(f"default_hooks.logger.interval={log_interval}")
    if cfg.get("log_processor"):
        options.append(f"log_processor.window_size={log_interval}")
    if "lr" in ((cfg.get("optim_wrapper") or {}).get("optimizer") or {}):
        options.append(f"optim_wrapper.optimizer.lr={_LEARNING_RATE}")
    return options
