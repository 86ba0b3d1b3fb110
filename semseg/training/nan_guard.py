"""Stop a run at a loss or gradient that is nan or infinite, before it damages the weights, and save what shows why."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import all_gather_object, get_rank, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from semseg.config.hooks import remove_hooks
from semseg.config.options import STOCK
from semseg.config.patch import Patch, changes
from semseg.config.tree import built_datasets
from semseg.datasets import samples
from semseg.datasets.band_transforms import bands_of
from semseg.labels import IGNORED
from semseg.system.atomic import atomic_path
from semseg.system.stopping import GIVEN_UP, Stopped
from semseg.training.options import StockOptions
from semseg.training.runner_parts import bare_model, optim_wrapper_of
from semseg.visualization import drawing
from semseg.visualization.picture_files import save_jpeg

_ZERO = 1e-6


def configure(cfg: Config, options: StockOptions) -> Patch:
    """Guard every run, except one with `performance='stock'`, which goes on as MMSegmentation does."""
    if options.performance == STOCK:
        return changes(cfg, lambda edited: remove_hooks(edited, "GuardHook"))
    return Patch(hooks=[dict(type="GuardHook")])


@dataclass
class _Pass:
    """A forward pass whose gradients were not used in an optimizer's step yet."""

    iteration: int  # counted from 1, as in the log
    batch: dict
    losses: dict[str, torch.Tensor] = field(default_factory=dict)

    def broken_losses(self) -> dict[str, float]:
        """Return the parts of the loss that are nan or infinite; the total loss only if no part is."""
        broken = {name: float(value) for name, value in self.losses.items() if not value.isfinite()}
        return {name: value for name, value in broken.items() if name != "loss"} or broken


@HOOKS.register_module()
class GuardHook(Hook):
    """Stop before the optimizer makes a step with nan or infinity; warn if the loss or the accuracy stays at zero.

    The state before the step is saved as `before_nonfinite_iter_N.pth`, the batch in `nonfinite_iter_N_rank_R/`, both
    in the work folder. A loss that is nan or infinite makes every gradient nan, and the processes of a run average
    their gradients: so each process finds it in its own gradients, and all stop at the same step. This costs one
    synchronisation per step. With a scaler of float16 losses, which skips gradients that overflow, only the loss has
    to be finite.

    Args:
        warn_after_iters: warn, once, after that many iterations in a row with a loss or an accuracy of zero.
    """

    def __init__(self, warn_after_iters: int = 200) -> None:
        self.warn_after_iters = warn_after_iters
        self._passes: list[_Pass] = []  # more than one while gradients accumulate
        self._warned: set[str] = set()

    def before_train(self, runner: Runner) -> None:
        """Replace two methods, to see the losses that the model computes, and the gradients before every step."""
        model: Any = bare_model(runner)  # Any: one of its methods is replaced
        optim_wrapper: Any = runner.optim_wrapper
        parse_losses, step = model.parse_losses, optim_wrapper.step
        self._model = model
        self._buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]

        def parse_losses_and_spread_nan(losses: dict) -> tuple[torch.Tensor, dict]:
            loss, log_vars = parse_losses(losses)
            if self._passes:
                self._passes[-1].losses = {name: value.detach() for name, value in log_vars.items() if "loss" in name}
            return loss * torch.where(loss.detach().isfinite(), 1.0, torch.nan), log_vars

        @functools.wraps(step)  # keeps the mark of MMEngine's schedulers, which would warn without it
        def step_if_finite(**kwargs: Any) -> None:
            self._check(runner)
            step(**kwargs)
            self._passes.clear()

        model.parse_losses, optim_wrapper.step = parse_losses_and_spread_nan, step_if_finite

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the batch, and a copy of the running statistics, which the forward pass changes."""
        if not self._passes:
            for buffer, kept in self._buffers:
                kept.copy_(buffer)
        self._passes.append(_Pass(runner.iter + 1, data_batch))

    def _check(self, runner: Runner) -> None:
        """Do nothing if the gradients are finite; otherwise save the batch and the state, and stop.

        Raises:
            Stopped: in all processes; the message is in the first one.
        """
        params = [p for group in optim_wrapper_of(runner).optimizer.param_groups for p in group["params"]]
        grads = [p.grad for p in params if p.grad is not None]
        if not self._passes or not grads or torch.stack(torch._foreach_norm(grads)).isfinite().all():
            return
        broken = next((each for each in self._passes if each.broken_losses()), None)
        is_in_any_process = any(all_gather_object(broken is not None))
        if not is_in_any_process and hasattr(runner.optim_wrapper, "loss_scaler"):
            return  # float16 overflow, which the scaler handles: it skips this step
        report = self._save_batch(runner, broken or self._passes[-1]) if broken or not is_in_any_process else None
        state = self._save_state(runner)
        reports = [text for text in all_gather_object(report) if text is not None]
        more = f" (and in {len(reports) - 1} more of the processes)" if len(reports) > 1 else ""
        message = f"{reports[0]}{more}, {state}: lower the learning rate, or look at the batch"
        raise Stopped(message if is_main_process() else "", GIVEN_UP)

    def _save_state(self, runner: Runner) -> str:
        """Save the state before the step, in the first process, and return where it is."""
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

    def _save_batch(self, runner: Runner, broken: _Pass) -> str:
        """Save the inputs of a forward pass, and return a report of its result."""
        losses = broken.broken_losses()
        if losses:
            fault = " and ".join(f"{name} is {value}" for name, value in losses.items())
        else:
            bad = [n for n, p in self._model.named_parameters() if p.grad is not None and not p.grad.norm().isfinite()]
            fault = f"the gradient of {bad[0]} is not finite, the loss is {broken.losses['loss']:.4g},"
        process = f" in process {get_rank()}" if get_world_size() > 1 and losses else ""
        with torch.no_grad():
            received = self._model.data_preprocessor(broken.batch, True)
        targets = [sample.gt_sem_seg.data.squeeze(0).cpu() for sample in received["data_samples"]]
        ignored = [float((target == IGNORED).float().mean()) for target in targets]
        fully = f", {ignored.count(1.0)} of {len(ignored)} crops are fully ignored" if 1.0 in ignored else ""
        rate = next(iter(optim_wrapper_of(runner).get_lr().values()))[0]
        report = (
            f"{fault} at iteration {broken.iteration}{process} (learning rate {rate:.4g}, {np.mean(ignored):.0%} of the"
            f" pixels ignored{fully})"
        )
        folder = Path(runner.work_dir) / f"nonfinite_iter_{broken.iteration}_rank_{get_rank()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lines = [report, "ignored\tpixel values\timage\tmask"]
            for image, sample, share in zip(broken.batch["inputs"], broken.batch["data_samples"], ignored, strict=True):
                values = f"{float(image.min()):g} to {float(image.max()):g}"
                lines.append(f"{share:.1%}\t{values}\t{sample.img_path}\t{sample.get('seg_map_path')}")
            with atomic_path(folder / "files.txt") as temporary:
                temporary.write_text("\n".join(lines) + "\n")
            content = {
                "inputs": received["inputs"].cpu(),
                "targets": torch.stack(targets),
                "images": [sample.img_path for sample in broken.batch["data_samples"]],
                "losses": {name: float(value) for name, value in broken.losses.items()},
                "learning_rate": rate,
            }
            buffer = io.BytesIO()  # PyTorch's own writer does not say why it failed
            torch.save(content, buffer)
            with atomic_path(folder / "batch.pt") as temporary:
                temporary.write_bytes(buffer.getbuffer())
            _draw(runner, broken, folder / "sheet.jpg")
        except OSError as error:
            return f"{report}: the batch cannot be written to {folder} ({error.strerror or error})"
        return f"{report}: the batch lies in {folder}"

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Warn when the loss or the accuracy stays at zero."""
        check = f"run tools/dataset.py check {runner.cfg.filename or 'CONFIG'}"
        if self._is_zero(runner, ["train/loss"]):
            self._warn(
                runner,
                "loss",
                f"the loss has been 0 for {self.warn_after_iters} iterations: are all pixels ignored, as in masks of"
                f" 0 and 255 only, or is there a single class? To find out, {check}",
            )
        accuracies = [name for name in runner.message_hub.log_scalars if name.endswith("acc_seg") and "train/" in name]
        if accuracies and self._is_zero(runner, accuracies):
            self._warn(
                runner,
                "accuracy",
                f"the accuracy has been 0 for {self.warn_after_iters} iterations: no pixel gets its class; do the"
                f" masks hold train ids? To find out, {check}",
            )

    def _is_zero(self, runner: Runner, names: list[str]) -> bool:
        last = [runner.message_hub.get_scalar(name).data[0][-self.warn_after_iters :] for name in names]
        return all(len(values) == self.warn_after_iters and np.abs(values).max() < _ZERO for values in last)

    def _warn(self, runner: Runner, subject: str, message: str) -> None:
        """Log a warning about a subject, once."""
        if subject not in self._warned:
            self._warned.add(subject)
            runner.logger.warning(message)


def _draw(runner: Runner, broken: _Pass, path: Path) -> None:
    """Draw the samples with their masks as the network received them."""
    size, metainfo = samples.padded_size(runner.cfg), runner.train_dataloader.dataset.metainfo
    bands = bands_of(next(built_datasets(runner.train_dataloader.dataset)))
    pictures = [
        samples.as_sample(dict(inputs=image.cpu().nan_to_num(), data_samples=sample.cpu()), size, bands)
        for image, sample in zip(broken.batch["inputs"], broken.batch["data_samples"], strict=True)
    ]
    title = f"the batch of iteration {broken.iteration}"
    sheet = drawing.draw_contact_sheet(pictures, metainfo["classes"], metainfo["palette"], title)
    save_jpeg(sheet, path)
