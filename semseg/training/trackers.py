"""Log a training to experiment trackers as well: MLflow, Weights & Biases, ClearML, Aim.

The trackers get what TensorBoard gets: all scalars with the scores of each class, the pictures of `PanelHook` and
`ContactSheetHook`, and the config. A run of a tracker starts after the checks and the trial of the first step, so that
a training that does not start leaves no empty run. If a tracker fails later, the training goes on without it.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.visualization import BaseVisBackend
from mmseg.registry import HOOKS, VISBACKENDS

from semseg.checkpoints.plain import plain, without_secrets
from semseg.config.patch import Patch, changes
from semseg.config.tree import as_list, type_name
from semseg.errors import InvalidConfigError
from semseg.system.atomic import atomic_path
from semseg.training.options import TrackOptions
from semseg.training.tracker_backends import TRACKERS, TrackedRun, finite_numbers

IDS_FILE = "trackers.json"
"""In the work folder: the id of the run in each tracker, by which a resumed training continues it."""
_MIN_PAUSE_S = 60.0
_MAX_WAITING_PICTURES = 8
_PAUSE_FACTOR = 20  # a server that is gone costs a training 5 % of its time at most
_STOCK = {
    "mlflow": "MLflowVisBackend",
    "wandb": "WandbVisBackend",
    "clearml": "ClearMLVisBackend",
    "aim": "AimVisBackend",
}


def configure(cfg: Config, options: TrackOptions) -> Patch:
    """Add the trackers to the visualizer, beside TensorBoard.

    Raises:
        ValueError: an unknown tracker, one whose package is not installed, or one that the config uses already.
    """
    names = list(dict.fromkeys([options.track] if isinstance(options.track, str) else options.track))
    if not names:
        return Patch()
    backends = as_list((cfg.get("visualizer") or {}).get("vis_backends"))
    for name in names:
        _check_tracker(name, [type_name(backend) for backend in backends])

    def edit(edited: Config) -> None:
        kept = [backend for backend in backends if type_name(backend) != "TrackersVisBackend"]
        kept = kept or [dict(type="LocalVisBackend")]  # as MMEngine's default
        edited.visualizer = {
            **(edited.get("visualizer") or dict(type="Visualizer")),
            "vis_backends": [*kept, dict(type="TrackersVisBackend", names=names)],
        }

    patch = changes(cfg, edit, f"experiment trackers: {', '.join(names)}")
    return Patch(patch.values, hooks=[dict(type="TrackersHook")], notes=patch.notes)


def _check_tracker(name: str, backend_types: Sequence[str]) -> None:
    if name not in TRACKERS:
        raise InvalidConfigError(
            f"`track` {name!r}: no such tracker; expected one of {', '.join(TRACKERS)}", code="E-config-value"
        )
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:  # no origin: a folder of that name, such as the one that W&B writes
        raise InvalidConfigError(
            f"`track` {name} needs the package {name}, which is not installed: pip install -e '.[{name}]'",
            code="E-config-package",
        )
    if _STOCK[name] in backend_types:
        raise InvalidConfigError(
            f"`track` {name}: the config has a {_STOCK[name]} in visualizer.vis_backends already; leave one out",
            code="E-config-conflict",
        )


@VISBACKENDS.register_module()
class TrackersVisBackend(BaseVisBackend):
    """Pass scalars and pictures to trackers, and let none of them end the training.

    Args:
        save_dir: not used; MMEngine gives it.
        names: keys of `TRACKERS`.
    """

    def __init__(self, save_dir: str | None = None, names: Sequence[str] = ()) -> None:
        super().__init__(save_dir or "")
        self.names = tuple(names)
        self._guards: list[_Guard] = []
        self._pictures: deque[tuple] = deque(maxlen=_MAX_WAITING_PICTURES)  # drawn before the trackers start

    def start(self, cfg: Config, is_continued: bool) -> str | None:
        """Start a run in each tracker, or continue it.

        Args:
            cfg: of the run. Secrets in it are hidden from the trackers.
            is_continued: whether the training continues one in the same work folder.

        Returns:
            None, or a sentence: a tracker cannot start. When a training is continued, perhaps by a launcher, that is
            a warning in the log instead.
        """
        work_dir = Path(cfg.work_dir).absolute()
        if not is_continued:
            (work_dir / IDS_FILE).unlink(missing_ok=True)
        shown = Config(plain(cfg.to_dict()))
        self._guards = [_Guard(name, _opener(name, work_dir, shown)) for name in self.names]
        for guard in self._guards:
            start_s = time.monotonic()
            try:
                guard.open()
            except Exception as error:
                if not is_continued:
                    self.close()
                    fault = f"`track` {guard.name} cannot start ({_describe_error(error)})"
                    return f"{fault}: check its settings and its server, or leave it out"
                guard.leave_alone(error, time.monotonic() - start_s)
        atexit.register(self.close)  # a run that fails is not left open
        for name, picture, step in self._pictures:
            self.add_image(name, picture, step)
        self._pictures.clear()
        return None

    def _init_env(self) -> None:
        """Do nothing: `start` opens the trackers."""

    @property
    def experiment(self) -> TrackersVisBackend:
        """Return this object."""
        return self

    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs: Any) -> None:
        """Pass a picture on; RGB, uint8, shape (height, width, 3)."""
        if not self._guards:
            self._pictures.append((name, image, step))
        for guard in self._guards:
            guard.call("add_image", name, image, step)

    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Pass a scalar on."""
        self.add_scalars({name: value}, step)

    def add_scalars(self, scalar_dict: dict, step: int = 0, file_path: str | None = None, **kwargs: Any) -> None:
        """Pass scalars on; those that are no finite numbers are left out."""
        for guard in self._guards:
            guard.call("add_scalars", finite_numbers(scalar_dict), step)

    def close(self, is_complete: bool = False) -> None:
        """End the runs.

        Args:
            is_complete: whether the training has reached its end; else the trackers show it as stopped.
        """
        guards, self._guards = self._guards, []
        for guard in guards:
            guard.finish(is_complete)


def _opener(name: str, work_dir: Path, cfg: Config) -> Callable[[], Any]:
    """Return a function that opens a tracker and writes the config; the id of its run is kept in the work folder."""

    def open_tracker() -> Any:
        tracker = TRACKERS[name](TrackedRun(work_dir.name, work_dir, _read_ids(work_dir).get(name)))
        with atomic_path(work_dir / IDS_FILE) as temporary:
            temporary.write_text(json.dumps({**_read_ids(work_dir), name: tracker.run_id}, indent=1) + "\n")
        tracker.add_config(cfg)
        print_log(without_secrets(f"{name}: {tracker.place}"), "current")
        return tracker

    return open_tracker


def _read_ids(work_dir: Path) -> dict[str, str]:
    """Return the ids of the runs by tracker; empty if there is no file that can be read."""
    try:
        ids = json.loads((work_dir / IDS_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return ids if isinstance(ids, dict) else {}


class _Guard:
    """A tracker whose failures are one warning; after a failure it is left alone for a while, and then tried again."""

    def __init__(self, name: str, open_tracker: Callable[[], Any]) -> None:
        self.name = name
        self._open_tracker = open_tracker
        self._tracker: Any = None
        self._num_lost = 0
        self._has_warned = False
        self._next_try_s = 0.0  # of time.monotonic()

    def open(self) -> None:
        """Open the tracker.

        Raises:
            Exception: any that the tracker raises.
        """
        self._tracker = self._open_tracker()

    def call(self, method: str, *arguments: Any) -> None:
        """Call a method of the tracker, unless it has failed a short time ago."""
        start_s = time.monotonic()
        if start_s < self._next_try_s:
            self._num_lost += 1
            return
        try:
            if self._tracker is None:
                self.open()
            getattr(self._tracker, method)(*arguments)
        except Exception as error:
            self._num_lost += 1
            self.leave_alone(error, time.monotonic() - start_s)

    def leave_alone(self, error: Exception, duration_s: float) -> None:
        """Warn of a failure, once, and let the tracker rest.

        Args:
            error: what was raised.
            duration_s: how long the training has waited for it.
        """
        if not self._has_warned:
            text = f"{self.name} failed ({_describe_error(error)}); training continues and will retry later"
            print_log(text, "current", logging.WARNING)
        self._has_warned = True
        self._next_try_s = time.monotonic() + max(_MIN_PAUSE_S, _PAUSE_FACTOR * duration_s)

    def finish(self, is_complete: bool) -> None:
        """End the run, and log how much the tracker has missed."""
        if self._num_lost:
            text = f"{self._num_lost} records were not sent to {self.name}; TensorBoard has them"
            print_log(text, "current", logging.WARNING)
        try:
            if self._tracker is not None:
                self._tracker.finish(is_complete)
        except Exception as error:
            self.leave_alone(error, 0)


def _describe_error(error: Exception) -> str:
    """Return the message of an error in one line, without secrets."""
    return without_secrets(" ".join(str(error).split())) or type(error).__name__


@HOOKS.register_module()
class TrackersHook(Hook):
    """Start the trackers after the trial of the first step, and end their runs when the training is complete."""

    # after the preflight trial (LOW) and OneCurveHook (80), which opens the visualizer of a resumed run; before the
    # checkpoint hook (VERY_LOW), which may validate
    priority = 85  # pyrefly: ignore[bad-override] MMEngine also takes a number

    def before_train(self, runner: Runner) -> None:
        """Start the trackers.

        Raises:
            ValueError: one of them cannot start.
        """
        backend = runner.visualizer.get_backend("TrackersVisBackend")
        is_continued = bool(runner.cfg.get("resume"))
        faults = [backend.start(runner.cfg, is_continued) if backend is not None and is_main_process() else None]
        broadcast_object_list(faults)
        if faults[0] is not None:
            raise InvalidConfigError(faults[0], code="E-config-tracker")

    def after_train(self, runner: Runner) -> None:
        """End the runs as complete."""
        backend = runner.visualizer.get_backend("TrackersVisBackend")
        if backend is not None and is_main_process():
            backend.close(is_complete=True)
