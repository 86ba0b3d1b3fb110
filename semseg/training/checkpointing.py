"""Checkpoints that are complete at every moment."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process, master_only
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from semseg.checkpoints.files import best_names, newest_first, position_name, run_checkpoints
from semseg.config.hooks import note
from semseg.config.metrics import metrics_of
from semseg.config.patch import Patch, changes
from semseg.config.schedule import counts_epochs
from semseg.config.tree import type_name
from semseg.errors import InvalidConfigError
from semseg.system.atomic import atomic_path, disk_remedy, sync_folder, write_durably
from semseg.system.stopping import GIVEN_UP, Stopped, is_disk_full
from semseg.training.epochs import validation_is_due
from semseg.training.options import NoOptions
from semseg.training.runner_parts import optim_wrapper_of


def configure(cfg: Config, options: NoOptions) -> Patch:
    """Replace MMEngine's CheckpointHook by SafeCheckpointHook; a hook of another type is kept."""
    return changes(cfg, _use_safe_hook)


def _use_safe_hook(cfg: Config) -> None:
    """Modifies `cfg`."""
    by_epoch = counts_epochs(cfg)
    defaults = dict(logger=dict(type="LoggerHook"), checkpoint=dict(type="CheckpointHook", interval=1))  # MMEngine's
    cfg.default_hooks = {**defaults, **(cfg.get("default_hooks") or {})}
    logger, checkpoint = cfg.default_hooks.logger, cfg.default_hooks.checkpoint
    if logger is not None and type_name(logger) == "LoggerHook":
        logger.log_metric_by_epoch = False  # both scores and losses are logged by iteration; a resumed run needs that
    if checkpoint is None or type_name(checkpoint) not in ("CheckpointHook", "SafeCheckpointHook"):
        return
    counted = checkpoint.get("by_epoch", type_name(checkpoint) == "CheckpointHook")
    if counted and not by_epoch:
        counted, interval = False, cfg.train_cfg.get("val_interval", 1000)  # IterBasedTrainLoop's default
        if checkpoint.get("interval", -1) > 0:
            note(cfg, f"the run does not count epochs: it saves every {interval} iterations, as it validates")
        checkpoint.interval = interval
    checkpoint.update(type="SafeCheckpointHook", by_epoch=counted)
    known = metrics_of(cfg) if cfg.get("val_evaluator") is not None else None
    if known and "save_best" not in checkpoint and "mIoU" not in known:
        checkpoint.save_best = next((name for name in known if name.startswith("m")), None)


@register_backend("atomic")
class AtomicBackend(LocalBackend):
    """The local disk; a file gets its name only after all of it was written to the disk."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a temporary file, sync it to the disk, and rename it."""
        write_durably(Path(filepath), obj)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook, made safe: no checkpoint is lost when the run is killed while it saves.

    An old file is deleted only after the new one is complete, and only if it is a file of this run. `last.pth` and
    `best.pth` point to the newest and the best one. With gradient accumulation, the hook waits for the optimizer's
    step. After a validation the newest checkpoint is written again, with the scores; a run that is killed between
    the two repeats the validation when it is resumed.

    Args:
        interval: iterations or epochs between two checkpoints; one is always saved at the end.
        by_epoch: count epochs, in a run by epochs: `epoch_3.pth`; a checkpoint in the middle of an epoch is named
            `epoch_3_iter_400.pth`.
        max_keep_ckpts: how many to keep, in addition to the best; -1 for all.
        save_best: metric that decides which is the best, such as `mIoU` or `IoU/person`.
        kwargs: the other arguments of CheckpointHook, except `filename_tmpl`.
    """

    def __init__(
        self,
        interval: int = -1,
        by_epoch: bool = False,
        max_keep_ckpts: int = 3,
        save_best: str | list[str] | None = "mIoU",
        **kwargs: Any,
    ) -> None:
        kwargs = {"backend_args": {"backend": "atomic"}, **kwargs, "by_epoch": by_epoch}
        super().__init__(interval=interval, max_keep_ckpts=max_keep_ckpts, save_best=save_best, **kwargs)
        self.saved_iter = -1  # of the last checkpoint
        self._is_due = False
        self._own_names: set[str] = set()  # of the files of this run in the folder

    def before_train(self, runner: Runner) -> None:
        """Find the folder; validate now if the run was stopped before or during a validation."""
        super().before_train(runner)
        self._own_names = self._names_before_resume(runner)
        if is_main_process() and _is_local(self.out_dir):
            for leftover in Path(self.out_dir).glob(".*.tmp.pth"):  # of a run that was killed while it saved
                leftover.unlink(missing_ok=True)
        num_iters = runner.iter
        if validation_is_due(runner) and runner.message_hub.runtime_info.get("last_validation") != num_iters:
            runner.logger.info(f"iteration {num_iters} was not validated before the run ended: validating now")
            assert runner.val_loop is not None  # else no validation is due
            runner.val_loop.run()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Save if a checkpoint is due and the optimizer has just made its step."""
        if not self.by_epoch:
            self._is_due |= self.every_n_train_iters(runner, self.interval, self.save_begin)
            self._is_due |= self.save_last and self.is_last_train_iter(runner)
        if self._is_due and optim_wrapper_of(runner).should_update():
            self.save(runner, runner.iter + 1)

    def after_train_epoch(self, runner: Runner) -> None:
        """Save if a checkpoint is due and no gradients are waiting for more batches."""
        if self.by_epoch:
            self._is_due |= self.every_n_epochs(runner, self.interval, self.save_begin)
            self._is_due |= self.save_last and self.is_last_train_epoch(runner)
            if self._is_due and optim_wrapper_of(runner).should_update():
                self.save(runner, runner.iter, runner.epoch + 1)

    def save(self, runner: Runner, num_iters: int, num_epochs: int | None = None) -> str:
        """Write a numbered checkpoint with everything that a resumed run needs, and return its path.

        Args:
            runner: of the run.
            num_iters: finished iterations.
            num_epochs: finished epochs; default: the runner's count.

        Raises:
            Stopped: the disk is full, or a write failed; the last good checkpoint is kept.
        """
        self._is_due = False
        num_epochs = runner.epoch if num_epochs is None else num_epochs
        name = f"{self._position(runner, num_iters, num_epochs)}.pth"
        path = str(self.file_backend.join_path(self.out_dir, name))
        self.last_ckpt = path
        runner.message_hub.update_info("last_ckpt", path)
        if self.saved_iter != num_iters:
            epochs = f", {num_epochs} epochs" if self.by_epoch else ""
            runner.logger.info(f"Saving checkpoint at {num_iters} iterations{epochs}")
        self._record_names(runner, self._own_names | {name})
        meta = dict(epoch=num_epochs, iter=num_iters)
        self._write(runner, name, meta, self.save_optimizer, self.save_param_scheduler)
        self.saved_iter = num_iters
        self._link_last(name, path)
        if self.max_keep_ckpts > 0:
            numbered = newest_first(self._own_names)
            self._delete(runner, numbered[numbered.index(name) + self.max_keep_ckpts :])
        return path

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best, then save the newest again with the scores."""
        runner.message_hub.update_info("last_validation", runner.iter)
        superseded = [] if not metrics else self._save_best(runner, metrics)
        if self.saved_iter == runner.iter:
            self.save(runner, runner.iter)
        self._delete(runner, superseded)

    def _save_best(self, runner: Runner, metrics: dict[str, float]) -> list[str]:
        """Save if the score is a new best, and return the names of the files that are no longer needed."""
        superseded: list[str] = []
        if not self.save_best:
            return []
        if "auto" in self.key_indicators:
            self._init_rule(self.rules, [next(iter(metrics))])
        for key, rule in zip(self.key_indicators, self.rules, strict=True):
            if key not in metrics:
                known = ", ".join(sorted(metrics))
                raise InvalidConfigError(
                    f"save_best={key!r} is no metric of this validation; it gives {known}", code="E-config-metric"
                )
            suffix = "" if len(self.key_indicators) == 1 else f"_{key}"
            hub = runner.message_hub
            best = hub.runtime_info.get(f"best_score{suffix}", self.init_value_map[rule])
            if metrics[key] is None or not self.is_better_than[key](metrics[key], best):
                continue
            hub.update_info(f"best_score{suffix}", metrics[key])
            start = f"best_{key}_".replace("/", "_")
            name = f"{start}{self._position(runner, runner.iter, runner.epoch)}.pth"
            hub.update_info(f"best_ckpt{suffix}", self.file_backend.join_path(self.out_dir, name))
            self._record_names(runner, self._own_names | {name})
            self._write(runner, name, dict(epoch=runner.epoch, iter=runner.iter), False, False)
            runner.logger.info(
                f"The best checkpoint with {metrics[key]:0.4f} {key} at {runner.iter} iter is saved to {name}."
            )
            if key == self.key_indicators[0] and is_main_process() and _is_local(self.out_dir):
                _link(Path(self.out_dir) / "best.pth", name)
            superseded += [other for other in best_names(self._own_names, start) if other != name]
        return superseded

    def _position(self, runner: Runner, num_iters: int, num_epochs: int) -> str:
        if not self.by_epoch:
            return position_name(num_iters)
        return position_name(num_iters, num_epochs, len(runner.train_dataloader))

    def _write(self, runner: Runner, name: str, meta: dict, save_optimizer: bool, save_param_scheduler: bool) -> None:
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                save_optimizer=save_optimizer,
                save_param_scheduler=save_param_scheduler,
                meta=meta,
                by_epoch=False,
                backend_args=self.backend_args,
            )
        except OSError as error:
            kept = Path(self.out_dir, "last.pth")
            rest = f"the last good one is {kept.resolve().name}" if kept.is_file() else "there is none before it"
            raise Stopped(
                f"cannot write {name} to {self.out_dir} ({error.strerror or error}); {rest}:"
                f" {disk_remedy(error)}, then go on with --resume",
                GIVEN_UP if is_disk_full(error) else 1,  # 1: a file server may work again when the run is restarted
            ) from error

    @master_only
    def _link_last(self, name: str, path: str) -> None:
        with atomic_path(Path(self.out_dir) / "last_checkpoint") as temporary:  # MMEngine reads it
            temporary.write_text(path)
        if _is_local(self.out_dir):
            _link(Path(self.out_dir) / "last.pth", name)

    def _names_before_resume(self, runner: Runner) -> set[str]:
        """Return the names of the files that a run wrote to this folder before it was resumed."""
        resumed, folder = runner.cfg.get("resume") and runner.cfg.get("load_from"), self.out_dir
        if not resumed or not _is_local(folder) or Path(resumed).resolve().parent != Path(folder).resolve():
            return set()
        names = runner.message_hub.runtime_info.get("own_checkpoints")
        if names is None:  # the checkpoint does not list them
            names = [path.name for path in run_checkpoints(folder) if not path.is_symlink()]
        return set(names)

    def _record_names(self, runner: Runner, names: set[str]) -> None:
        """Keep the names of this run's files, also in the checkpoints."""
        self._own_names = names
        runner.message_hub.update_info("own_checkpoints", sorted(names))

    def _delete(self, runner: Runner, names: Sequence[str]) -> None:
        self._record_names(runner, self._own_names - set(names))
        if is_main_process() and _is_local(self.out_dir):
            for name in names:
                Path(self.out_dir, name).unlink(missing_ok=True)


def _is_local(folder: str) -> bool:
    return "://" not in folder


def _link(path: Path, target: str) -> None:
    with contextlib.suppress(OSError), atomic_path(path) as temporary:  # some file systems cannot store links
        temporary.symlink_to(target)
    sync_folder(path.parent)  # before the old target is deleted
