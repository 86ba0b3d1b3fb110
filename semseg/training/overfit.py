"""The sanity check before a long run: can this config learn a few images by heart?"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from semseg.config.hooks import ensure_hook
from semseg.config.tree import inner_datasets, type_name
from semseg.errors import InvalidConfigError

_LENGTHS = dict(max_iters=500, val_interval=25)  # unless --cfg-options sets them
_DROPOUTS = ("dropout_ratio", "drop_rate", "attn_drop_rate", "drop_path_rate")
_OTHER_JUDGES = ("EMAHook", "AveragedWeightsHook", "EarlyStoppingHook", "MonitorHook")


def overfit(
    cfg: Config, num_images: int | None, options: Sequence[str] = (), flags: Mapping[str, Any] | None = None
) -> None:
    """Turn a training (in place) into one that learns the first images of its set by heart, and is judged by them.

    They are learned whole, at the size of the recipe's crops, without augmentation or dropout. Model, optimizer
    and learning rate stay; the rate is warmed up and sinks to zero with the last iteration. So do the losses, but
    OverfitHook lets all classes weigh the same in a cross entropy. Nothing is saved but log, curves and pictures,
    in `<work_dir>/overfit`.

    Args:
        cfg: of a training.
        num_images: how many; None leaves the config as it is.
        options: `--cfg-options`, which may set `train_cfg.max_iters` and `train_cfg.val_interval`.
        flags: by name, those of the command line that would have no effect; None or False if they are not given.

    Raises:
        ValueError: `num_images` is below 1, or the run is to continue another one, or one of `flags` is given.
    """
    if num_images is None:
        return
    if num_images < 1:
        raise InvalidConfigError(f"--overfit {num_images}: expected a number of images, 1 or more")
    if cfg.get("resume"):
        raise InvalidConfigError("--overfit always starts anew; leave --resume out")
    given = [flag for flag, value in (flags or {}).items() if value not in (None, False)]
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
    sampler = dict(type="InfiniteSampler", shuffle=cfg.launcher != "none")
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
