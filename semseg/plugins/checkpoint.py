"""Checkpoints that are complete at every moment."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mmengine.dist import is_main_process, master_only
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS

from semseg.atomic import atomic_path
from semseg.checkpoints.files import numbered_checkpoints
from semseg.stopping import GIVEN_UP, Stopped, is_disk_full


@register_backend("atomic")
class AtomicBackend(LocalBackend):
    """The local disk; a file appears under its name when all of it lies on the disk, or not at all."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes aside, force them onto the disk, and rename."""
        path = Path(filepath)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            file.write(obj)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path.parent)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook, which loses nothing when the run is killed while it saves.

    A new file is complete before an old one is deleted. `last.pth` and `best.pth` point to the newest and the
    best one. With gradient accumulation it waits for the optimizer's step. After a validation the newest
    checkpoint is written again, with the scores; a run that is killed in between validates once more when it
    is resumed.

    Args:
        interval: iterations between two checkpoints; the last iteration always has one.
        max_keep_ckpts: how many to keep, beside the best; -1 for all.
        save_best: metric that decides which is the best, such as `mIoU` or `IoU/person`.
        kwargs: the other arguments of CheckpointHook; `by_epoch` is always False.
    """

    def __init__(
        self, interval: int = -1, max_keep_ckpts: int = 3, save_best: str | list[str] | None = "mIoU", **kwargs
    ) -> None:
        kwargs = {"backend_args": {"backend": "atomic"}, **kwargs, "by_epoch": False}
        super().__init__(interval=interval, max_keep_ckpts=max_keep_ckpts, save_best=save_best, **kwargs)
        self._is_due = False
        self._saved_iter = -1

    def before_train(self, runner) -> None:
        """Find the folder; when the run was stopped before or in a validation, make up for it."""
        super().before_train(runner)
        if is_main_process() and _is_local(self.out_dir):
            for leftover in Path(self.out_dir).glob(".*.tmp.pth"):  # of a run that was killed while it saved
                leftover.unlink(missing_ok=True)
        done = runner.iter
        is_due = done >= max(runner.val_begin, 1) and (done % runner.val_interval == 0 or done == runner.max_iters)
        if runner.val_loop is not None and is_due and runner.message_hub.runtime_info.get("last_validation") != done:
            runner.logger.info(f"iteration {done} was not validated before the run ended: validating now")
            runner.val_loop.run()

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Save when it is time, and the optimizer has just made its step."""
        self._is_due |= self.every_n_train_iters(runner, self.interval, self.save_begin)
        self._is_due |= self.save_last and self.is_last_train_iter(runner)
        if self._is_due and runner.optim_wrapper.should_update():
            self.save(runner, runner.iter + 1)

    def save(self, runner, num_iters: int) -> str:
        """Write `iter_<num_iters>.pth` with everything that a resumed run needs, and return its path.

        Args:
            runner: of the run.
            num_iters: finished iterations.

        Raises:
            Stopped: the disk is full, or fails; the last good checkpoint is untouched.
        """
        self._is_due = False
        name = self.filename_tmpl.format(num_iters)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        if self._saved_iter != num_iters:
            runner.logger.info(f"Saving checkpoint at {num_iters} iterations")
        self._write(runner, name, num_iters, self.save_optimizer, self.save_param_scheduler)
        self._saved_iter = num_iters
        self._name_last(name)
        self._forget_old(num_iters)
        return self.last_ckpt

    def after_val_epoch(self, runner, metrics: dict[str, float]) -> None:
        """Save the best, then the newest again, with the scores."""
        runner.message_hub.update_info("last_validation", runner.iter)
        superseded = [] if not metrics else self._save_best(runner, metrics)
        if self._saved_iter == runner.iter:
            self.save(runner, runner.iter)
        for path in superseded:
            path.unlink(missing_ok=True)

    def _save_best(self, runner, metrics: dict[str, float]) -> list[Path]:
        """Save what is better than before, and return the files that nobody needs any more."""
        superseded = []
        if not self.save_best:
            return []
        if "auto" in self.key_indicators:
            self._init_rule(self.rules, [next(iter(metrics))])
        for key, rule in zip(self.key_indicators, self.rules, strict=True):
            if key not in metrics:
                known = ", ".join(sorted(metrics))
                raise ValueError(f"save_best={key!r} is no metric of this validation; it gives {known}")
            suffix = "" if len(self.key_indicators) == 1 else f"_{key}"
            hub = runner.message_hub
            best = hub.runtime_info.get(f"best_score{suffix}", self.init_value_map[rule])
            if metrics[key] is None or not self.is_better_than[key](metrics[key], best):
                continue
            hub.update_info(f"best_score{suffix}", metrics[key])
            start = f"best_{key}_".replace("/", "_")
            name = start + self.filename_tmpl.format(runner.iter)
            hub.update_info(f"best_ckpt{suffix}", self.file_backend.join_path(self.out_dir, name))
            self._write(runner, name, runner.iter, False, False)
            runner.logger.info(
                f"The best checkpoint with {metrics[key]:0.4f} {key} at {runner.iter} iter is saved to {name}."
            )
            if is_main_process() and _is_local(self.out_dir):
                folder = Path(self.out_dir)
                if key == self.key_indicators[0]:
                    _link(folder / "best.pth", name)
                superseded += [path for path in folder.glob(f"{start}iter_*.pth") if path.name != name]
        return superseded

    def _write(self, runner, name: str, num_iters: int, save_optimizer: bool, save_param_scheduler: bool) -> None:
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                save_optimizer=save_optimizer,
                save_param_scheduler=save_param_scheduler,
                meta=dict(epoch=runner.epoch, iter=num_iters),
                by_epoch=False,
                backend_args=self.backend_args,
            )
        except OSError as error:
            kept = Path(self.out_dir, "last.pth")
            rest = f"the last good one is {kept.resolve().name}" if kept.is_file() else "there is none before it"
            raise Stopped(
                f"cannot write {name} to {self.out_dir} ({error.strerror or error}); {rest}: make room there,"
                " then go on with --resume",
                GIVEN_UP if is_disk_full(error) else 1,  # a file server may be back when the run is started again
            ) from error

    @master_only
    def _name_last(self, name: str) -> None:
        with atomic_path(Path(self.out_dir) / "last_checkpoint") as temporary:  # MMEngine reads it
            temporary.write_text(self.last_ckpt)
        if _is_local(self.out_dir):
            _link(Path(self.out_dir) / "last.pth", name)

    @master_only
    def _forget_old(self, num_iters: int) -> None:
        if self.max_keep_ckpts < 1 or not _is_local(self.out_dir):
            return
        earlier = [(number, path) for number, path in numbered_checkpoints(self.out_dir) if number <= num_iters]
        for _, path in earlier[self.max_keep_ckpts :]:
            path.unlink(missing_ok=True)


def _is_local(folder: str) -> bool:
    return "://" not in str(folder)


def _link(path: Path, target: str) -> None:
    with contextlib.suppress(OSError), atomic_path(path) as temporary:  # some file systems have no links
        temporary.symlink_to(target)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system lets a folder be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
