"""Whether a model has learned a few images by heart."""

from __future__ import annotations

import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmseg.models.losses import CrossEntropyLoss
from mmseg.registry import HOOKS

from semseg.errors import InvalidConfigError
from semseg.labels import IGNORED
from semseg.system.stopping import Stopped


@HOOKS.register_module()
class OverfitHook(Hook):
    """End the run as soon as it knows its images, and say at its end whether it does.

    The truth is what the network can express: in cells of twice its output stride (16 pixels for most) the class
    of most pixels; a quarter of a cell next to another class does not count. A mask in full has details that no
    weights could predict, and healthy set-ups would fail: on ToyCity's streets the best scores of one per 8 x 8
    pixels reach an mIoU of 85 %. Cross entropies without class weights get such that all classes weigh the same: a
    class of a few pixels would take ten times the iterations.

    Args:
        num_images: how many images are learned.
        pass_above: mIoU in percent.
    """

    def __init__(self, num_images: int, pass_above: float = 95.0) -> None:
        self.num_images, self.pass_above = num_images, pass_above
        self._grid: tuple[int, int] | None = None
        self._scores: dict[str, float] = {}

    def before_train(self, runner) -> None:
        """Look at the images: how coarse the truth must be, and how rare each class is in it.

        Raises:
            ValueError: there are fewer images.
        """
        dataset = runner.train_dataloader.dataset
        if len(dataset) < self.num_images:
            raise InvalidConfigError(f"--overfit {self.num_images}: the training set holds {len(dataset)} images")
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        first = dataset[0]["inputs"]
        self._grid = _resolution(model, first)
        height, width = (length // cells for length, cells in zip(first.shape[-2:], self._grid, strict=True))
        runner.logger.info(f"overfit: the truth in cells of {width} x {height} pixels, every class weighs the same")
        batch = dict(data_samples=[dataset[i]["data_samples"] for i in range(self.num_images)])
        self._coarsen(batch)
        truth = torch.cat([sample.gt_sem_seg.data.flatten() for sample in batch["data_samples"]]).long()
        weights = 1 / truth.bincount(minlength=IGNORED + 1)[: len(dataset.metainfo["classes"])].clamp(min=1)
        for module in model.modules():
            if isinstance(module, CrossEntropyLoss) and module.class_weight is None and not module.use_sigmoid:
                module.class_weight = (weights / weights.max()).tolist()
        self._started = time.monotonic()

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Coarsen the truth."""
        self._coarsen(data_batch)

    def before_val_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Coarsen the truth."""
        self._coarsen(data_batch)

    def _coarsen(self, batch: dict) -> None:
        for sample in batch["data_samples"]:
            sample.gt_sem_seg.data = coarse(sample.gt_sem_seg.data, self._grid)
            sample.set_metainfo(dict(ori_shape=sample.gt_sem_seg.shape))  # predictions are resized to it

    def after_val_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Stop if it knows them."""
        self._scores = metrics
        runner.train_loop.stop_training = metrics["mIoU"] > self.pass_above

    def after_train(self, runner) -> None:
        """Say what was reached.

        Raises:
            Stopped: it was not enough.
        """
        images = f"{self.num_images} image{'s' if self.num_images > 1 else ''}"
        seen = f"overfit: mIoU {self._scores['mIoU']:.1f} % on {images} after {runner.iter} iterations"
        panels = Path(runner.log_dir) / "panels"
        if runner.train_loop.stop_training:
            seconds = time.monotonic() - self._started
            runner.logger.info(f"{seen} ({seconds:.0f} s): the set-up can learn; panels: {panels}")
            return
        message = f"{seen}, expected more than {self.pass_above:g} %: {self._symptoms(runner)}; panels: {panels}"
        raise Stopped(message if is_main_process() else "", 1)

    def _symptoms(self, runner) -> str:
        labelled = {name.partition("/")[2]: score for name, score in self._scores.items()
                    if name.startswith("Acc/") and not math.isnan(score)}  # fmt: skip
        if not labelled:
            return "no pixel of them is labelled"
        losses = runner.message_hub.get_scalar("train/loss").data[0]
        first, last = losses[0], losses[-10:].mean()
        group = runner.optim_wrapper.param_groups[0]
        rate = f"try another learning rate than {group.get('initial_lr', group['lr']):g}"
        missing = [name for name, score in labelled.items() if score == 0]
        found = f", {len(missing)} of {len(labelled)} classes never found ({', '.join(missing)})" if missing else ""
        if last > 0.9 * first:
            return f"the loss stayed at {last:.3g}{found}; {rate}, or let more of the model learn"
        more = f"more iterations (--cfg-options train_cfg.max_iters={2 * runner.max_iters})"
        return f"the loss fell from {first:.3g} to {last:.3g}{found}; see if the truth is right, {rate}, or {more}"


def coarse(train_ids: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Reduce a mask to what scores on a grid, enlarged bilinearly, can express.

    Args:
        train_ids: shape (1, height, width).
        grid: number of cells, down and across.

    Returns:
        The same shape and dtype. Each cell has the class of most of its pixels; where another class is nearer
        than a quarter of a cell, pixels are ignored.
    """
    size, values = train_ids.shape[-2:], train_ids.unique()
    shares = torch.cat([F.adaptive_avg_pool2d((train_ids == value).float(), grid) for value in values])
    cells = values[shares.argmax(0)]
    blocks = F.interpolate(cells[None, None].float(), size, mode="nearest")
    margin = min(size[0] // grid[0], size[1] // grid[1]) // 4
    window = dict(kernel_size=2 * margin + 1, stride=1, padding=margin)
    mixed = F.max_pool2d(blocks, **window) != -F.max_pool2d(-blocks, **window)
    return blocks.masked_fill(mixed, IGNORED)[0].to(train_ids.dtype)


def _resolution(model: torch.nn.Module, image: torch.Tensor) -> tuple[int, int]:
    """Return in how many cells, down and across, a model can tell the classes of an image of this size."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.no_grad():
        scores = model(torch.zeros(1, *image.shape, device=device), mode="tensor")
    model.train(was_training)
    while isinstance(scores, (list, tuple)):
        scores = scores[-1]
    # two scores to a cell, each way: whether scores lie in the middle of their pixels or not
    return tuple(math.ceil(length / 2) for length in scores.shape[-2:])
