"""A run that is broken ends before its weights are, and leaves behind what shows why."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import all_gather_object, get_rank, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from PIL import Image

from semseg.config.patch import Patch
from semseg.datasets import samples
from semseg.labels import IGNORED
from semseg.system.atomic import atomic_path
from semseg.system.stopping import GIVEN_UP, Stopped
from semseg.training.options import NoOptions
from semseg.visualization import drawing

_ZERO = 1e-6


def configure(cfg: Config, options: NoOptions) -> Patch:
    """Guard every run."""
    return Patch(hooks=[dict(type="GuardHook")])


@dataclass
class _Pass:
    """A forward pass whose gradients the optimizer has not taken yet."""

    iteration: int  # counted from 1, as in the log
    batch: dict
    losses: dict[str, torch.Tensor] = field(default_factory=dict)

    def broken_losses(self) -> dict[str, float]:
        """Return the parts of the loss that are nan or infinite; the total only if no part is."""
        broken = {name: float(value) for name, value in self.losses.items() if not value.isfinite()}
        return {name: value for name, value in broken.items() if name != "loss"} or broken


@HOOKS.register_module()
class GuardHook(Hook):
    """Stop before the optimizer takes a step that is no number; warn of a loss or an accuracy that stays at zero.

    The state before the step goes to `before_nonfinite_iter_N.pth`, the batch to `nonfinite_iter_N_rank_R/`, both in
    the work folder. A loss that is nan or infinite makes every gradient nan, and the processes of a run average
    their gradients: so each of them finds it in its own, and all end in the same step. It costs one
    synchronisation per step. Where a scaler of float16 losses skips overflown gradients, a finite loss goes on.

    Args:
        warn_after_iters: so many iterations in a row with a loss, or an accuracy, of zero are warned about, once.
    """

    def __init__(self, warn_after_iters: int = 200) -> None:
        self.warn_after_iters = warn_after_iters
        self._passes: list[_Pass] = []  # more than one while gradients accumulate
        self._warned: set[str] = set()

    def before_train(self, runner: Runner) -> None:
        """Look at the losses that the model computes, and at the gradients before every step."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        parse_losses, step = model.parse_losses, runner.optim_wrapper.step
        self._model = model
        self._buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]

        def parse_losses_and_spread_nan(losses: dict) -> tuple[torch.Tensor, dict]:
            loss, log_vars = parse_losses(losses)
            if self._passes:
                self._passes[-1].losses = {name: value.detach() for name, value in log_vars.items() if "loss" in name}
            return loss * torch.where(loss.detach().isfinite(), 1.0, torch.nan), log_vars

        @functools.wraps(step)  # MMEngine's schedulers have marked it, and would warn without the mark
        def step_if_finite(**kwargs: Any) -> None:
            self._check(runner)
            step(**kwargs)
            self._passes.clear()

        model.parse_losses, runner.optim_wrapper.step = parse_losses_and_spread_nan, step_if_finite

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Keep the batch, and the running statistics, which the forward pass changes."""
        if not self._passes:
            for buffer, kept in self._buffers:
                kept.copy_(buffer)
        self._passes.append(_Pass(runner.iter + 1, data_batch))

    def _check(self, runner: Runner) -> None:
        """Do nothing if the gradients are finite; otherwise write all aside.

        Raises:
            Stopped: in all processes; the first one has the sentence.
        """
        params = [p for group in runner.optim_wrapper.optimizer.param_groups for p in group["params"]]
        grads = [p.grad for p in params if p.grad is not None]
        if not self._passes or not grads or torch.stack(torch._foreach_norm(grads)).isfinite().all():
            return
        broken = next((one for one in self._passes if one.broken_losses()), None)
        is_anywhere = any(all_gather_object(broken is not None))
        if not is_anywhere and hasattr(runner.optim_wrapper, "loss_scaler"):
            return  # an overflow of float16, which the scaler knows: it skips this step
        account = self._write_aside(runner, broken or self._passes[-1]) if broken or not is_anywhere else None
        state = self._save_state(runner)
        accounts = [found for found in all_gather_object(account) if found is not None]
        others = f" (and in {len(accounts) - 1} more of the processes)" if len(accounts) > 1 else ""
        message = f"{accounts[0]}{others}, {state}: lower the learning rate, or look at the batch"
        raise Stopped(message if is_main_process() else "", GIVEN_UP)

    def _save_state(self, runner: Runner) -> str:
        """Write the state before the step, in the first process, and say where it is."""
        for name, weights in self._model.named_parameters():
            if not weights.isfinite().all():
                return f"the weights were not finite before it ({name}), so start again from an earlier checkpoint"
        with torch.no_grad():
            for buffer, kept in self._buffers:
                buffer.copy_(kept)
        num_iters = self._passes[0].iteration - 1
        name = f"before_nonfinite_iter_{self._passes[-1].iteration}.pth"
        meta = dict(epoch=runner.epoch, iter=num_iters)
        try:
            runner.save_checkpoint(
                runner.work_dir, name, meta=meta, by_epoch=False, backend_args=dict(backend="atomic")
            )
        except OSError as error:
            return f"the state before it cannot be written ({error.strerror or error})"
        return f"the state before it is {Path(runner.work_dir) / name}"

    def _write_aside(self, runner: Runner, broken: _Pass) -> str:
        """Write what went into a forward pass, and say what came out of it."""
        losses = broken.broken_losses()
        if losses:
            what = " and ".join(f"{name} is {value}" for name, value in losses.items())
        else:
            bad = [n for n, p in self._model.named_parameters() if p.grad is not None and not p.grad.norm().isfinite()]
            what = f"the gradient of {bad[0]} is not finite, the loss is {broken.losses['loss']:.4g},"
        where = f" in process {get_rank()}" if get_world_size() > 1 and losses else ""
        with torch.no_grad():
            received = self._model.data_preprocessor(broken.batch, True)
        targets = [sample.gt_sem_seg.data.squeeze(0).cpu() for sample in received["data_samples"]]
        ignored = [float((target == IGNORED).float().mean()) for target in targets]
        wholly = f", {ignored.count(1.0)} of {len(ignored)} crops wholly" if 1.0 in ignored else ""
        rate = next(iter(runner.optim_wrapper.get_lr().values()))[0]
        account = (
            f"{what} at iteration {broken.iteration}{where} (learning rate {rate:.4g}, {np.mean(ignored):.0%} of the"
            f" pixels ignored{wholly})"
        )
        folder = Path(runner.work_dir) / f"nonfinite_iter_{broken.iteration}_rank_{get_rank()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lines = [account, "ignored\tpixel values\timage\tmask"]
            for image, sample, share in zip(broken.batch["inputs"], broken.batch["data_samples"], ignored, strict=True):
                values = f"{float(image.min()):g} to {float(image.max()):g}"
                lines.append(f"{share:.1%}\t{values}\t{sample.img_path}\t{sample.get('seg_map_path')}")
            (folder / "files.txt").write_text("\n".join(lines) + "\n")
            content = {
                "inputs": received["inputs"].cpu(),
                "targets": torch.stack(targets),
                "images": [sample.img_path for sample in broken.batch["data_samples"]],
                "losses": {name: float(value) for name, value in broken.losses.items()},
                "learning_rate": rate,
            }
            torch.save(content, folder / "batch.pt")
            _draw(runner, broken, folder / "sheet.jpg")
        except OSError as error:
            return f"{account}: the batch cannot be written to {folder} ({error.strerror or error})"
        return f"{account}: the batch lies in {folder}"

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Warn when nothing is learned."""
        check = f"tools/dataset.py check {runner.cfg.filename or 'CONFIG'} tells"
        if self._is_zero(runner, ["train/loss"]):
            self._warn(
                runner,
                "loss",
                f"the loss has been 0 for {self.warn_after_iters} iterations: are all pixels ignored, as in masks of"
                f" 0 and 255 only, or is there a single class? {check}",
            )
        accuracies = [name for name in runner.message_hub.log_scalars if name.endswith("acc_seg") and "train/" in name]
        if accuracies and self._is_zero(runner, accuracies):
            self._warn(
                runner,
                "accuracy",
                f"the accuracy has been 0 for {self.warn_after_iters} iterations: no pixel gets its class; do the"
                f" masks hold train ids? {check}",
            )

    def _is_zero(self, runner: Runner, names: list[str]) -> bool:
        last = [runner.message_hub.get_scalar(name).data[0][-self.warn_after_iters :] for name in names]
        return all(len(values) == self.warn_after_iters and np.abs(values).max() < _ZERO for values in last)

    def _warn(self, runner: Runner, about: str, sentence: str) -> None:
        if about not in self._warned:
            self._warned.add(about)
            runner.logger.warning(sentence)


def _draw(runner: Runner, broken: _Pass, path: Path) -> None:
    """Paint the samples with their masks as the network received them."""
    size, metainfo = samples.padded_size(runner.cfg), runner.train_dataloader.dataset.metainfo
    pictures = [
        samples.as_sample(dict(inputs=image.cpu().nan_to_num(), data_samples=sample.cpu()), size)
        for image, sample in zip(broken.batch["inputs"], broken.batch["data_samples"], strict=True)
    ]
    title = f"the batch of iteration {broken.iteration}"
    sheet = drawing.draw_contact_sheet(pictures, metainfo["classes"], metainfo["palette"], title)
    with atomic_path(path) as temporary:
        Image.fromarray(sheet).save(temporary, quality=90, subsampling=0)
