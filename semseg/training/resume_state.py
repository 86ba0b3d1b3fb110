"""Continue the schedule and the curves of a run that is resumed."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process, master_only
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmseg.registry import HOOKS

from semseg.errors import InvalidConfigError
from semseg.system.atomic import atomic_path, sync_file, sync_folder
from semseg.training.checkpointing import SafeCheckpointHook
from semseg.training.epochs import recount_iterations
from semseg.training.runner_parts import optim_wrapper_of

_STEP_STATE = {"last_step", "_global_step", "_last_value"}  # of a scheduler; the other values never change
_NO_END = int(1e9)  # MMEngine's default end of a scheduler


@HOOKS.register_module()
class ContinuationHook(Hook):
    """Let a resumed run follow the schedule of its config if it differs from the checkpoint's schedule.

    MMEngine continues the schedulers as they are in the checkpoint: after `train_cfg.max_iters` was raised, the
    learning rate would stay at its old final value. Here the run continues on the new curve at the checkpoint's
    iteration, bit for bit as if it had been planned from the start. The same is done for another base learning rate.
    The optimizer keeps its state (momentum), and an unchanged schedule continues as stored.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the two schedules, and put the new one into `checkpoint` if they differ.

        Raises:
            ValueError: the run would end before the checkpoint's iteration, or continue without `ema`.
        """
        if not runner.cfg.get("resume"):
            return
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        iters_per_epoch = len(runner.train_dataloader) if by_epoch else 0
        if by_epoch:
            recount_iterations(checkpoint, iters_per_epoch, runner.logger)
        name = Path(runner.cfg.get("load_from") or "the checkpoint").name
        unit, key = ("epoch", "max_epochs") if by_epoch else ("iteration", "max_iters")
        done, length = checkpoint["meta"]["epoch" if by_epoch else "iter"], getattr(runner, key)
        before = checkpoint.get("message_hub", {}).get("runtime_info", {}).get(key)
        if done > length:
            raise InvalidConfigError(
                f"train_cfg.{key} is {length}, but {name} is at {unit} {done} already; go on with"
                f" `cfg_options` train_cfg.{key}={before or done}",
                code="E-config-resume-length",
            )
        if "ema_state_dict" in checkpoint and not any(isinstance(hook, EMAHook) for hook in runner.hooks):
            raise InvalidConfigError(
                f"{name} was trained with averaged weights (EMA); add `ema` to go on with it",
                code="E-config-resume-differs",
            )
        schedulers, stored = runner.param_schedulers, checkpoint.get("param_schedulers")
        if not isinstance(schedulers, list) or not isinstance(stored, list):
            return
        settings = [_without_step_state(scheduler.state_dict()) for scheduler in schedulers]
        if settings == [_without_step_state(state) for state in stored]:
            return
        with warnings.catch_warnings():  # about schedulers that step without the optimizer
            warnings.simplefilter("ignore")
            for i in range(1, checkpoint["meta"]["iter"] + 1):
                ends_epoch = by_epoch and i % iters_per_epoch == 0 and i // iters_per_epoch <= done
                for scheduler in schedulers:
                    if ends_epoch or not scheduler.by_epoch:
                        scheduler.step()
        checkpoint["param_schedulers"] = [scheduler.state_dict() for scheduler in schedulers]
        names = {scheduler.param_name for scheduler in schedulers}
        _copy_values(names, optim_wrapper_of(runner).param_groups, checkpoint["optimizer"])
        change = "schedule changed"
        if before not in (None, length):
            verb = "extended" if before < length else "shortened"
            change = f"schedule {verb} from {before} to {length} {unit}s"
        lr = optim_wrapper_of(runner).get_lr()
        runner.logger.info(f"{change}: learning rate goes on at {next(iter(lr.values()))[0]:.4g}")

    def before_train(self, runner: Runner) -> None:
        """Store the length of an epoch for later checkpoints, and warn of schedulers that the run will not finish."""
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        if by_epoch:
            runner.message_hub.update_info("iters_per_epoch", len(runner.train_dataloader))
        for number, scheduler in enumerate(
            runner.param_schedulers if isinstance(runner.param_schedulers, list) else []
        ):
            name = f"param_scheduler.{number} ({type(scheduler).__name__})"
            if scheduler.by_epoch and not by_epoch:
                runner.logger.warning(
                    f"{name} counts epochs, and this run does not: it has no effect; set its by_epoch=False"
                )
                continue
            length = runner.max_epochs if scheduler.by_epoch else runner.max_iters
            if length < scheduler.end < _NO_END and scheduler.begin < length:
                unit = "epoch" if scheduler.by_epoch else "iteration"
                runner.logger.warning(f"{name} ends at {unit} {scheduler.end}, after the run's end at {unit} {length}")


def _without_step_state(state: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if key not in _STEP_STATE}


def _copy_values(names: set[str], groups: list[dict], optimizer: dict) -> None:
    """Put the scheduled values (lr, momentum) of `groups` into an optimizer's state dict. Modifies `optimizer`."""
    stored = [*optimizer["param_groups"], *filter(None, [optimizer.get("base_param_settings")])]
    for group, stored_group in zip(groups, stored, strict=False):
        for key in {*names, *(f"initial_{name}" for name in names)} & set(group):
            stored_group[key] = group[key]


@HOOKS.register_module()
class OneCurveHook(Hook):
    """Let a resumed run append to the curves of the run that it continues.

    The checkpoint holds the folder, relative to the work folder; if it no longer exists, a new one is created. Values
    after the checkpoint's iteration are removed from `scalars.json` and hidden in TensorBoard. Every start of a run
    has its own text log, which names the log before it.
    """

    # after the preflight trial (LOW), which may end the run, and before the checkpoint hook (VERY_LOW)
    priority = 80  # pyrefly: ignore[bad-override] MMEngine also takes a number

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Log the name of the log before this one."""
        info = checkpoint.get("message_hub", {}).get("runtime_info", {})
        path = Path(runner.work_dir, info.get("record", {}).get("log", ""))
        if runner.cfg.get("resume") and path.is_file():
            runner.logger.info(f"continues {path} after iteration {checkpoint['meta']['iter']}")

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Find the folder, and remove the values after the checkpoint from the curves."""
        hub, work_dir = runner.message_hub, Path(runner.work_dir)
        visualizer = runner.cfg.get("visualizer") or dict(
            type="Visualizer", vis_backends=[dict(type="LocalVisBackend")]
        )
        own = Path(visualizer.get("save_dir") or runner.log_dir)
        record = hub.runtime_info.get("record", {})
        curves = work_dir / record.get("curves", "")
        if runner.iter and "curves" in record and (curves / "vis_data").is_dir():
            opened = runner.visualizer
            opened.close()
            if not curves.samefile(own):  # the new run has opened curves there, which are still empty
                shutil.rmtree(own / "vis_data", ignore_errors=True)
            repeats = any(isinstance(hook, SafeCheckpointHook) for hook in runner.hooks)
            is_validated = not repeats or record.get("validated") == runner.iter
            last_step = _truncate_scalars(curves / "vis_data/scalars.json", runner.iter, is_validated)
            settings = dict(save_dir=str(curves), name=f"{opened.instance_name} of {curves.name}")
            runner.visualizer = runner.build_visualizer({**visualizer, **settings})
            runner.visualizer.dataset_meta = opened.dataset_meta
            tensorboard = runner.visualizer.get_backend("TensorboardVisBackend")
            if tensorboard is not None:  # it hides the values of older files from this step on
                # pyrefly: ignore[missing-module-attribute] protobuf makes these classes when it is imported
                from tensorboard.compat.proto.event_pb2 import Event, SessionLog

                start = Event(step=last_step + 1, session_log=SessionLog(status=SessionLog.START))
                tensorboard.experiment.file_writer.add_event(start)
        else:
            curves = own
        log_path = Path(runner.log_dir) / f"{runner.timestamp}.log"
        paths = dict(curves=os.path.relpath(curves, work_dir), log=os.path.relpath(log_path, work_dir))
        hub.update_info("record", {**record, **paths})

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Record that the curves contain this validation."""
        record = runner.message_hub.runtime_info.get("record", {})
        runner.message_hub.update_info("record", {**record, "validated": runner.iter})

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write the curves to the disk before the checkpoint, so that a run that is cut off leaves no gap."""
        tensorboard = runner.visualizer.get_backend("TensorboardVisBackend")
        if tensorboard is not None:
            tensorboard.experiment.flush()
        record = runner.message_hub.runtime_info.get("record", {})
        folder = Path(runner.work_dir, record.get("curves", ""), "vis_data")
        if is_main_process() and folder.is_dir():
            for path in folder.iterdir():
                if path.is_file():
                    sync_file(path)
            sync_folder(folder)


def _truncate_scalars(path: Path, last_step: int, is_validated: bool) -> int:
    """Remove the entries after an iteration from a `scalars.json`, and return the last complete step.

    Args:
        path: of the file; if it does not exist, nothing is done.
        last_step: the checkpoint's iteration.
        is_validated: whether the checkpoint has the scores of its validation. If not, the run was killed between the
            log line and the checkpoint; the validation will be repeated, and its entry is removed as well.
    """
    if not path.is_file():
        return last_step
    kept, last_whole_step = [], last_step
    for line in path.read_text().splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # the run was killed while it wrote this line
        step = entry.get("step", 0)
        if step == last_step and not is_validated and "iter" not in entry:  # only lines of the training have it
            last_whole_step = last_step - 1
        elif step <= last_step:
            kept.append(line)
    with atomic_path(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in kept))
    return last_whole_step
