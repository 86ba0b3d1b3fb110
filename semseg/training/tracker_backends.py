"""The experiment trackers, each as a visualizer backend of MMEngine.

MMEngine has a backend for each of them. The classes here change what a long training needs: a run that is continued
under its id, the iteration of every value, pictures at every validation, and no upload of checkpoints or source code.
Each tracker finds its server and its key by its own environment variables and files, so no secret is in a config.
"""

from __future__ import annotations

import math
import os
import re
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.visualization import AimVisBackend, BaseVisBackend, ClearMLVisBackend, WandbVisBackend

from semseg.config.tree import leaves

PROJECT = "semseg"
"""The project or experiment of the runs, unless the tracker's environment variable names another."""
_MAX_PARAMS = 100  # MLflow's limit for a request
_MAX_PARAM_LETTERS = 500  # that of old servers; new ones take 6000
_NO_MLFLOW_NAME = re.compile(r"[^/\w.\- ]")
_FINISH_S = 300.0  # W&B would wait for ever for a server that is gone


class TrackedRun(NamedTuple):
    """What a tracker needs to know about a run.

    Attributes:
        name: of the work folder.
        work_dir: path of the work folder.
        run_id: of the tracker's run that is continued; None for a new one.
    """

    name: str
    work_dir: Path
    run_id: str | None


class MlflowTracker(BaseVisBackend):
    """MLflow, by its client.

    MMEngine's backend sets the address of the server to the work folder unless it is in the config, writes each picture
    over the one before, fails for class names such as `sky (blue)`, and cannot continue a run.
    """

    def __init__(self, run: TrackedRun) -> None:
        super().__init__(str(run.work_dir))
        # the defaults wait 2 minutes for an answer, 8 times in all, while the training waits too
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
        import mlflow

        self._client = mlflow.MlflowClient()
        self.run_id = self._find_run(run) or self._create_run(run.name)
        self.place = f"{mlflow.get_tracking_uri()}, run {self.run_id}"

    def _find_run(self, run: TrackedRun) -> str | None:
        from mlflow.exceptions import MlflowException

        if run.run_id is None:
            return None
        try:
            self._client.update_run(run.run_id, status="RUNNING")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return run.run_id

    def _create_run(self, name: str) -> str:
        experiment_name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment_id = os.environ.get("MLFLOW_EXPERIMENT_ID")
        if experiment_id is None:
            experiment = self._client.get_experiment_by_name(experiment_name)
            experiment_id = experiment.experiment_id if experiment else self._client.create_experiment(experiment_name)
        return self._client.create_run(experiment_id, run_name=name).info.run_id

    def _init_env(self) -> None:
        """Do nothing: the client needs no environment."""

    @property
    def experiment(self) -> Any:
        """Return MLflow's client."""
        return self._client

    def add_config(self, config: Config, **kwargs: Any) -> None:
        """Write the config as `config.py`, and its values as parameters; those of a continued run stay."""
        from mlflow.entities import Param

        self._client.log_text(self.run_id, config.pretty_text, "config.py")
        known = self._client.get_run(self.run_id).data.params
        values = {_mlflow_name(key): str(value) for key, value in leaves(config.to_dict())}
        params = [Param(key, value[:_MAX_PARAM_LETTERS]) for key, value in values.items() if key not in known]
        for start in range(0, len(params), _MAX_PARAMS):
            self._client.log_batch(self.run_id, params=params[start : start + _MAX_PARAMS])

    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs: Any) -> None:
        """Write a picture; MLflow's page shows those of all steps."""
        self._client.log_image(self.run_id, image, key=_mlflow_name(name), step=step)

    def add_scalars(
        self, scalar_dict: Mapping[str, float], step: int = 0, file_path: str | None = None, **kwargs: Any
    ) -> None:
        """Write scalars in one request."""
        from mlflow.entities import Metric

        now_ms = int(time.time() * 1000)
        metrics = [Metric(_mlflow_name(key), value, now_ms, step) for key, value in scalar_dict.items()]
        self._client.log_batch(self.run_id, metrics=metrics)

    def finish(self, is_complete: bool) -> None:
        """End the run."""
        self._client.set_terminated(self.run_id, "FINISHED" if is_complete else "KILLED")


class WandbTracker(WandbVisBackend):
    """Weights & Biases.

    MMEngine's backend counts its calls instead of the iterations, uploads all Python files below the working folder,
    and ends by a function that new versions do not have.
    """

    def __init__(self, run: TrackedRun) -> None:
        import wandb

        self.run_id = run.run_id or uuid.uuid4().hex[:8]
        super().__init__(
            str(run.work_dir),
            init_kwargs=dict(
                project=os.environ.get("WANDB_PROJECT", PROJECT),
                name=run.name,
                id=self.run_id,
                resume="allow",
                allow_val_change=True,  # of the config, when a run is continued with another length
                reinit="finish_previous",  # of a training in the same process that failed
                settings=wandb.Settings(finish_timeout=_FINISH_S, quiet=True),
            ),
            define_metric_cfg=[dict(name="iteration"), dict(name="*", step_metric="iteration")],
        )
        started = self.experiment.run
        self.place = started.url or started.dir

    def add_config(self, config: Config, **kwargs: Any) -> None:
        """Write the config."""
        self.experiment.run.config.update(config.to_dict(), allow_val_change=True)

    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs: Any) -> None:
        """Write a picture."""
        self.experiment.log({name: self.experiment.Image(image), "iteration": step})

    def add_scalars(
        self, scalar_dict: Mapping[str, float], step: int = 0, file_path: str | None = None, **kwargs: Any
    ) -> None:
        """Write scalars as one row."""
        self.experiment.log({**scalar_dict, "iteration": step})

    def finish(self, is_complete: bool) -> None:
        """Wait for the uploads, and end the run."""
        self.experiment.finish(exit_code=0 if is_complete else 1)


class ClearmlTracker(ClearMLVisBackend):
    """ClearML.

    MMEngine's backend uploads the checkpoints, and ClearML by itself records TensorBoard's values a second time.
    """

    def __init__(self, run: TrackedRun) -> None:
        import clearml

        clearml.Task.force_requirements_env_freeze()  # else it reads all source code for imports, for minutes
        super().__init__(
            init_kwargs=dict(
                project_name=os.environ.get("CLEARML_PROJECT", PROJECT),
                task_name=run.name,
                continue_last_task=run.run_id or False,
                reuse_last_task_id=False,
                auto_connect_arg_parser=False,
                auto_connect_frameworks=False,
            ),
            artifact_suffix=(),
        )
        task = self.experiment.Task.current_task()
        task.set_initial_iteration(0)  # else a continued task would add its last iteration to all others
        self.run_id = task.id
        self.place = task.get_output_log_web_page()

    def finish(self, is_complete: bool) -> None:
        """Wait for the uploads, and end the task."""
        self.close()


class AimTracker(AimVisBackend):
    """Aim."""

    def __init__(self, run: TrackedRun) -> None:
        super().__init__(
            init_kwargs=dict(
                run_hash=run.run_id,
                experiment=PROJECT,
                log_system_params=False,  # they contain the environment variables, and so secrets
                capture_terminal_logs=False,
            )
        )
        started = self.experiment
        started.name = run.name
        self.run_id = started.hash
        self.place = f"{started.repo.path}, run {started.hash}"

    def finish(self, is_complete: bool) -> None:
        """End the run."""
        self.close()


TRACKERS: dict[str, type] = {
    "mlflow": MlflowTracker,
    "wandb": WandbTracker,
    "clearml": ClearmlTracker,
    "aim": AimTracker,
}
"""The tracker of each name, which is also the name of its package and of the extra that installs it."""


def finite_numbers(scalars: Mapping[str, Any]) -> dict[str, float]:
    """Return the values that are finite numbers; a class that does not occur has no IoU."""
    numbers = {
        key: float(value)
        for key, value in scalars.items()
        if isinstance(value, (int, float, np.number)) or getattr(value, "numel", lambda: 0)() == 1
    }
    return {key: value for key, value in numbers.items() if math.isfinite(value)}


def _mlflow_name(name: str) -> str:
    return _NO_MLFLOW_NAME.sub("_", name)
