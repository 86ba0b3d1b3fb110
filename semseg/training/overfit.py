"""The sanity check before a long run: can this config overfit a few images?"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from semseg.config.hooks import ensure_hook, remove_hooks
from semseg.config.log import warn
from semseg.config.options import STOCK
from semseg.config.patch import Patch, changes
from semseg.config.tree import inner_datasets, type_name
from semseg.errors import InvalidConfigError
from semseg.labels import IGNORED
from semseg.system.stopping import Stopped
from semseg.training.options import OverfitOptions
from semseg.training.runner_parts import bare_model, optim_wrapper_of, train_loop_of

_LENGTHS = dict(max_iters=500, val_interval=25)  # unless `cfg_options` set them
_DROPOUTS = ("dropout_ratio", "drop_rate", "attn_drop_rate", "drop_path_rate")
_WITHOUT_EFFECT = ("early_stop", "monitor", "val_loss", "ema", "rare_crops", "accumulate", "epochs")
_REMOVED_HOOKS = ("EMAHook", "AveragedWeightsHook", "EarlyStoppingHook", "MonitorHook", "PanelHook")


def configure(cfg: Config, options: OverfitOptions) -> Patch:
    """Turn a training into one that overfits the first images of its set, and is validated on them.

    The images are not cropped but resized to the size of the recipe's crops, without augmentation or dropout. Model,
    optimizer, losses and learning rate are kept; the rate is warmed up and falls to zero at the last iteration. In a
    cross entropy, OverfitHook gives all classes the same weight. Only log, curves and pictures are saved, in
    `<work_dir>/overfit`. `cfg_options` may set `train_cfg.max_iters` and `train_cfg.val_interval`.

    Raises:
        ValueError: the number of images is below 1, the run would continue another one, or an option would have no
            effect.
    """
    num_images = options.overfit
    if num_images is None:
        return Patch()
    no_effect = {name: getattr(options, name) for name in _WITHOUT_EFFECT}
    no_effect["performance"] = options.performance == STOCK
    return changes(cfg, lambda edited: _overfit(edited, num_images, options.cfg_options, no_effect))


def _overfit(cfg: Config, num_images: int, options: Sequence[str], no_effect: Mapping[str, Any]) -> None:
    """Modifies `cfg`."""
    if num_images < 1:
        raise InvalidConfigError(
            f"`overfit` {num_images}: expected a number of images, 1 or more", code="E-config-range"
        )
    if cfg.get("resume"):
        raise InvalidConfigError("`overfit` always starts a new run; leave `resume` out", code="E-config-conflict")
    given = [f"`{name}`" for name, value in no_effect.items() if value not in (None, False)]
    if given:
        raise InvalidConfigError(
            f"`overfit` only learns a few images and is judged by their mIoU alone, so {' and '.join(given)} would"
            f" change nothing; leave {'it' if len(given) == 1 else 'them'} out",
            code="E-config-no-effect",
        )
    cfg.work_dir = f"{cfg.work_dir}/overfit"
    _choose_images(cfg, num_images)
    _set_schedule(cfg, options)
    _disable_dropout(cfg.model)
    if "mode" in (cfg.model.get("test_cfg") or {}):
        cfg.model.test_cfg = dict(mode="whole")
    cfg.val_cfg = dict(type="ValLoop")
    cfg.val_evaluator = dict(type="ConfusionMetric", iou_metrics=["mIoU"])
    cfg.default_hooks = dict(cfg.get("default_hooks", {}), checkpoint=None)
    remove_hooks(cfg, *_REMOVED_HOOKS)
    ensure_hook(cfg, dict(type="PanelHook", num_images=min(num_images, 8)))
    ensure_hook(cfg, dict(type="OverfitHook", num_images=num_images))


def _choose_images(cfg: Config, num_images: int) -> None:
    """Let training and validation read the same images in the same way. Modifies `cfg`."""
    loader = cfg.train_dataloader
    first, *rest = inner_datasets(loader.dataset)
    if rest:
        name = first.get("dataset_file") or first.get("data_root") or first.type
        warn("overfit takes images from the first of the data sets only, %s", name)
    steps = list(first.get("pipeline", []))
    if first is not loader.dataset:  # a wrapper may have its own steps
        steps += loader.dataset.get("pipeline", [])
    dataset = copy.deepcopy(first)
    height, width = _crop_size(cfg, steps)
    dataset["pipeline"] = [
        *(step for step in steps if type_name(step).startswith("Load")),
        dict(type="Resize", scale=(width, height), keep_ratio=False),
        *(step for step in steps if type_name(step).startswith("Generate")),  # such as edges from masks
        next((step for step in reversed(steps) if type_name(step).startswith("Pack")), dict(type="PackSegInputs")),
    ]
    indices = dataset.get("indices") or num_images  # the config may use a part of the set
    dataset["indices"] = min(num_images, indices) if isinstance(indices, int) else indices[:num_images]
    # at least two, for the batch norms; at most the recipe's, for the memory
    batch_size = max(2, min(num_images, loader.get("batch_size", 1)))
    # several processes divide the images: without shuffling, each would always see the same ones
    sampler = dict(type="SeededSampler", shuffle=cfg.launcher != "none")
    # by assignment: ConfigDict.update would keep the keys of a wrapper that is replaced
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
            "`overfit` needs the size of the crops; set model.data_preprocessor.size=(height,width)",
            code="E-config-missing-key",
        )
    return (size, size) if isinstance(size, int) else tuple(size)


def _set_schedule(cfg: Config, options: Sequence[str]) -> None:
    """Set the iterations, and a learning rate that warms up and falls to zero. Modifies `cfg`."""
    set_keys = {option.partition("=")[0] for option in options}
    lengths = {key: cfg.train_cfg[key] if f"train_cfg.{key}" in set_keys else value for key, value in _LENGTHS.items()}
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


def _disable_dropout(node: Any) -> None:
    """Set every dropout rate in a part of a config to zero. Modifies `node`."""
    if isinstance(node, dict):
        for key in _DROPOUTS:
            if isinstance(node.get(key), (int, float)):
                node[key] = 0.0
        node = node.values()
    elif not isinstance(node, (list, tuple)):
        return
    for child in node:
        _disable_dropout(child)


@HOOKS.register_module()
class OverfitHook(Hook):
    """Stop the run as soon as it has learned its images, and report at its end whether it has.

    The target is reduced to what the network can express: each cell of twice its output stride (16 pixels for most
    networks) has the class of most of its pixels; pixels closer than a quarter of a cell to another class are ignored.
    A full mask has details that no weights could predict, and correct set-ups would fail: on ToyCity's streets the
    best scores, one per 8 x 8 pixels, reach an mIoU of 85 %. Cross entropies without class weights get weights that
    make all classes count the same: otherwise a class of a few pixels would take ten times as many iterations.

    Args:
        num_images: how many images are learned.
        pass_above: mIoU in percent.
    """

    def __init__(self, num_images: int, pass_above: float = 95.0) -> None:
        self.num_images, self.pass_above = num_images, pass_above
        self._grid: tuple[int, int] | None = None
        self._scores: dict[str, float] = {}

    def before_train(self, runner: Runner) -> None:
        """Find out how coarse the target must be, and how rare each class is in it.

        Raises:
            ValueError: the set has fewer images.
        """
        dataset: Any = runner.train_dataloader.dataset
        if len(dataset) < self.num_images:
            raise InvalidConfigError(
                f"`overfit` {self.num_images}: the training set holds {len(dataset)} images", code="E-config-range"
            )
        model = bare_model(runner)
        first = dataset[0]["inputs"]
        self._grid = _output_grid(model, first)
        height, width = (length // cells for length, cells in zip(first.shape[-2:], self._grid, strict=True))
        runner.logger.info(
            f"overfit: the target has cells of {width} x {height} pixels, every class has the same weight"
        )
        batch = dict(data_samples=[dataset[i]["data_samples"] for i in range(self.num_images)])
        self._coarsen(batch)
        target = torch.cat([sample.gt_sem_seg.data.flatten() for sample in batch["data_samples"]]).long()
        weights = 1 / target.bincount(minlength=IGNORED + 1)[: len(dataset.metainfo["classes"])].clamp(min=1)
        # not at the top of the file: this import prints messages until semseg.compat has repaired the libraries
        from mmseg.models.losses import CrossEntropyLoss

        for module in model.modules():
            if isinstance(module, CrossEntropyLoss) and module.class_weight is None and not module.use_sigmoid:
                module.class_weight = (weights / weights.max()).tolist()
        self._started = time.monotonic()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Coarsen the target."""
        self._coarsen(data_batch)

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Coarsen the target."""
        self._coarsen(data_batch)

    def _coarsen(self, batch: dict) -> None:
        """Reduce the masks of a batch to the grid of the network's scores. Modifies `batch`."""
        assert self._grid is not None  # set before the first batch
        for sample in batch["data_samples"]:
            sample.gt_sem_seg.data = coarsen_mask(sample.gt_sem_seg.data, self._grid)
            sample.set_metainfo(dict(ori_shape=sample.gt_sem_seg.shape))  # predictions are resized to it

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Stop if the images are learned."""
        assert metrics is not None  # MMEngine passes them after every validation
        self._scores = metrics
        train_loop_of(runner).stop_training = metrics["mIoU"] > self.pass_above

    def after_train(self, runner: Runner) -> None:
        """Log the score that was reached.

        Raises:
            Stopped: the score is too low.
        """
        images = f"{self.num_images} image{'s' if self.num_images > 1 else ''}"
        reached = f"overfit: mIoU {self._scores['mIoU']:.1f} % on {images} after {runner.iter} iterations"
        panels = Path(runner.log_dir) / "panels"
        if train_loop_of(runner).stop_training:
            seconds = time.monotonic() - self._started
            runner.logger.info(f"{reached} ({seconds:.0f} s): the set-up can learn; panels: {panels}")
            return
        cause = self._describe_failure(runner)
        message = f"{reached}, expected more than {self.pass_above:g} %: {cause}; panels: {panels}"
        raise Stopped(message if is_main_process() else "", 1)

    def _describe_failure(self, runner: Runner) -> str:
        accuracies = {
            name.partition("/")[2]: score
            for name, score in self._scores.items()
            if name.startswith("Acc/") and not math.isnan(score)
        }
        if not accuracies:
            return "no pixel of them is labelled"
        losses = runner.message_hub.get_scalar("train/loss").data[0]
        first, last = losses[0], losses[-10:].mean()
        group = optim_wrapper_of(runner).param_groups[0]
        rate = f"try another learning rate than {group.get('initial_lr', group['lr']):g}"
        missing = [name for name, score in accuracies.items() if score == 0]
        missed = f", {len(missing)} of {len(accuracies)} classes never found ({', '.join(missing)})" if missing else ""
        if last > 0.9 * first:
            return f"the loss stayed at {last:.3g}{missed}; {rate}, or let more of the model learn"
        more = f"more iterations (--cfg-options train_cfg.max_iters={2 * runner.max_iters})"
        return f"the loss fell from {first:.3g} to {last:.3g}{missed}; see if the masks are right, {rate}, or {more}"


def coarsen_mask(train_ids: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Reduce a mask to what scores on a grid, enlarged bilinearly, can express.

    Args:
        train_ids: shape (1, height, width).
        grid: number of cells, down and across.

    Returns:
        The same shape and dtype. Each cell has the class of most of its pixels; pixels that are closer than a quarter
        of a cell to another class are ignored.
    """
    size, values = train_ids.shape[-2:], train_ids.unique()
    shares = torch.cat([F.adaptive_avg_pool2d((train_ids == value).float(), grid) for value in values])
    cells = values[shares.argmax(0)]
    blocks = F.interpolate(cells[None, None].float(), size, mode="nearest")
    margin = min(size[0] // grid[0], size[1] // grid[1]) // 4
    window = dict(kernel_size=2 * margin + 1, stride=1, padding=margin)
    mixed = F.max_pool2d(blocks, **window) != -F.max_pool2d(-blocks, **window)
    return blocks.masked_fill(mixed, IGNORED)[0].to(train_ids.dtype)


def _output_grid(model: torch.nn.Module, image: torch.Tensor) -> tuple[int, int]:
    """Return how many cells, down and across, a model can distinguish in an image of this size."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.no_grad():
        scores = model(torch.zeros(1, *image.shape, device=device), mode="tensor")
    model.train(was_training)
    while isinstance(scores, (list, tuple)):
        scores = scores[-1]
    # two scores per cell in each direction, because scores may lie in the middle of their pixels or at their corner
    height, width = scores.shape[-2:]
    return math.ceil(height / 2), math.ceil(width / 2)
