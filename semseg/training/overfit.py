"""The sanity check before a long run: can this config learn a few images by heart?"""

from __future__ import annotations

import copy
import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from semseg.config.hooks import ensure_hook
from semseg.config.patch import Patch, changes
from semseg.config.tree import inner_datasets, type_name
from semseg.errors import InvalidConfigError
from semseg.labels import IGNORED
from semseg.system.stopping import Stopped
from semseg.training.options import OverfitOptions

_LENGTHS = dict(max_iters=500, val_interval=25)  # unless --cfg-options sets them
_DROPOUTS = ("dropout_ratio", "drop_rate", "attn_drop_rate", "drop_path_rate")
_WITHOUT_EFFECT = ("early_stop", "monitor", "val_loss", "ema", "rare_crops", "accumulate", "epochs")
_OTHER_JUDGES = ("EMAHook", "AveragedWeightsHook", "EarlyStoppingHook", "MonitorHook")


def configure(cfg: Config, options: OverfitOptions) -> Patch:
    """Turn a training into one that learns the first images of its set by heart, and is judged by them.

    They are learned whole, at the size of the recipe's crops, without augmentation or dropout. Model, optimizer
    and learning rate stay; the rate is warmed up and sinks to zero with the last iteration. So do the losses, but
    OverfitHook lets all classes weigh the same in a cross entropy. Nothing is saved but log, curves and pictures,
    in `<work_dir>/overfit`. `--cfg-options` may set `train_cfg.max_iters` and `train_cfg.val_interval`.

    Raises:
        ValueError: the number of images is below 1, or the run is to continue another one, or options are given that
            would have no effect.
    """
    if options.overfit is None:
        return Patch()
    flags = {f"--{name.replace('_', '-')}": getattr(options, name) for name in _WITHOUT_EFFECT}
    return changes(cfg, lambda edited: _overfit(edited, options.overfit, options.cfg_options, flags))


def _overfit(cfg: Config, num_images: int, options: Sequence[str], flags: Mapping[str, Any]) -> None:
    if num_images < 1:
        raise InvalidConfigError(f"--overfit {num_images}: expected a number of images, 1 or more")
    if cfg.get("resume"):
        raise InvalidConfigError("--overfit always starts anew; leave --resume out")
    given = [flag for flag, value in flags.items() if value not in (None, False)]
    if given:
        raise InvalidConfigError(
            f"--overfit learns a few images plainly and is judged by their mIoU alone, so {' and '.join(given)} would"
            f" change nothing; leave {'it' if len(given) == 1 else 'them'} out"
        )
    cfg.work_dir = f"{cfg.work_dir}/overfit"
    _choose_images(cfg, num_images)
    _plan(cfg, options)
    _drop_nothing(cfg.model)
    if "mode" in (cfg.model.get("test_cfg") or {}):
        cfg.model.test_cfg = dict(mode="whole")
    cfg.val_cfg = dict(type="ValLoop")
    cfg.val_evaluator = dict(type="ConfusionMetric", iou_metrics=["mIoU"])
    cfg.default_hooks = dict(cfg.get("default_hooks", {}), checkpoint=None)
    hooks = [hook for hook in cfg.get("custom_hooks") or [] if hook["type"] not in (*_OTHER_JUDGES, "PanelHook")]
    cfg.custom_hooks = [*hooks, dict(type="PanelHook", num_images=min(num_images, 8))]
    ensure_hook(cfg, dict(type="OverfitHook", num_images=num_images))


def _choose_images(cfg: Config, num_images: int) -> None:
    """Let training and validation read the same images in the same way."""
    loader = cfg.train_dataloader
    found, *others = inner_datasets(loader.dataset)
    if others and int(os.environ.get("RANK", 0)) == 0:
        name = found.get("dataset_file") or found.get("data_root") or found.type
        logging.getLogger("semseg").warning("--overfit takes its images from the first of the sets alone, %s", name)
    steps = list(found.get("pipeline", []))
    if found is not loader.dataset:  # a wrapper may have steps of its own
        steps += loader.dataset.get("pipeline", [])
    dataset = copy.deepcopy(found)
    height, width = _crop_size(cfg, steps)
    dataset["pipeline"] = [
        *(step for step in steps if type_name(step).startswith("Load")),
        dict(type="Resize", scale=(width, height), keep_ratio=False),
        *(step for step in steps if type_name(step).startswith("Generate")),  # such as edges from masks
        next((step for step in reversed(steps) if type_name(step).startswith("Pack")), dict(type="PackSegInputs")),
    ]
    given = dataset.get("indices") or num_images  # the config may use a part of the set
    dataset["indices"] = min(num_images, given) if isinstance(given, int) else given[:num_images]
    # two at least, for the batch norms; as many as the recipe has at most, for the memory
    batch_size = max(2, min(num_images, loader.get("batch_size", 1)))
    # several processes share the images out: shuffled, or each would see the same ones for ever
    sampler = dict(type="SeededSampler", shuffle=cfg.launcher != "none")
    # one by one: ConfigDict.update would leave the keys of a wrapper in what replaces it
    loader["dataset"], loader["sampler"], loader["batch_size"] = dataset, sampler, batch_size
    cfg.val_dataloader = dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type="DefaultSampler", shuffle=False),
        dataset=copy.deepcopy(dataset),
    )


def _crop_size(cfg: Config, steps: Sequence[dict]) -> tuple[int, int]:
    """Return the height and width that the model is trained at."""
    size = (cfg.model.get("data_preprocessor") or {}).get("size")
    size = size or next((step["crop_size"] for step in steps if "crop_size" in step), None)
    if size is None:
        raise InvalidConfigError(
            "--overfit needs the size of the crops; set model.data_preprocessor.size=(height,width)"
        )
    return (size, size) if isinstance(size, int) else tuple(size)


def _plan(cfg: Config, options: Sequence[str]) -> None:
    """Set the iterations, and a learning rate that warms up and sinks to zero."""
    given = {option.partition("=")[0] for option in options}
    lengths = {key: cfg.train_cfg[key] if f"train_cfg.{key}" in given else value for key, value in _LENGTHS.items()}
    cfg.train_cfg = dict(type="IterBasedTrainLoop", **lengths)
    if cfg.get("log_processor"):
        cfg.log_processor.by_epoch = False
    max_iters = lengths["max_iters"]
    warm_up = max(1, max_iters // 20)
    cfg.param_scheduler = [
        dict(type="LinearLR", start_factor=0.1, begin=0, end=warm_up, by_epoch=False),
        dict(type="PolyLR", eta_min=0, power=0.9, begin=warm_up, end=max_iters, by_epoch=False),
    ]
    cfg.optim_wrapper.accumulative_counts = 1
    logger = cfg.get("default_hooks", {}).get("logger")
    if logger is not None:
        logger.interval = min(logger.get("interval", 10), lengths["val_interval"])


def _drop_nothing(node: Any) -> None:
    if isinstance(node, dict):
        for key in _DROPOUTS:
            if isinstance(node.get(key), (int, float)):
                node[key] = 0.0
        node = node.values()
    elif not isinstance(node, (list, tuple)):
        return
    for child in node:
        _drop_nothing(child)


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

    def before_train(self, runner: Runner) -> None:
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
        # not at the top: importing it prints, until the stack is repaired
        from mmseg.models.losses import CrossEntropyLoss

        for module in model.modules():
            if isinstance(module, CrossEntropyLoss) and module.class_weight is None and not module.use_sigmoid:
                module.class_weight = (weights / weights.max()).tolist()
        self._started = time.monotonic()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Coarsen the truth."""
        self._coarsen(data_batch)

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Coarsen the truth."""
        self._coarsen(data_batch)

    def _coarsen(self, batch: dict) -> None:
        for sample in batch["data_samples"]:
            sample.gt_sem_seg.data = coarse(sample.gt_sem_seg.data, self._grid)
            sample.set_metainfo(dict(ori_shape=sample.gt_sem_seg.shape))  # predictions are resized to it

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Stop if it knows them."""
        self._scores = metrics
        runner.train_loop.stop_training = metrics["mIoU"] > self.pass_above

    def after_train(self, runner: Runner) -> None:
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

    def _symptoms(self, runner: Runner) -> str:
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
