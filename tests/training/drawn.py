"""Measure what a training draws and schedules, with MMEngine and MMSegmentation alone.

`tests/training/test_stock_settings.py` calls it for our configs, and runs its text where nothing of this project is
imported.
"""

import json
from pathlib import Path

import numpy as np
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import MODELS, PARAM_SCHEDULERS

NUM_DRAWS = 1200
SEED = 7


def drawn(cfg):
    """Return features of the samples that a training draws first, by name, as lists of floats.

    Blue is the column of the picture and green the row, as `write_pictures` draws them; the mean colours stand for the
    photometric distortion of a plain picture.
    """
    init_default_scope("mmseg")
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=SEED)
    images = []
    for batch in loader:
        images += [image.numpy().transpose(1, 2, 0) for image in batch["inputs"]]
        if len(images) >= NUM_DRAWS:
            break
    blue, green, red = np.stack(images[:NUM_DRAWS]).astype(float).transpose(3, 0, 1, 2)
    features = {
        "flip": blue[:, :, -1].mean(axis=1) < blue[:, :, 0].mean(axis=1),
        "height": green[:, -1].mean(axis=1) - green[:, 0].mean(axis=1),  # in the picture: the smaller, the larger scale
        "left": blue.min(axis=(1, 2)),
        "top": green.min(axis=(1, 2)),
        "blue": blue.mean(axis=(1, 2)),
        "green": green.mean(axis=(1, 2)),
        "red": red.mean(axis=(1, 2)),
    }
    return {name: values.astype(float).tolist() for name, values in features.items()}


def groups(cfg):
    """Return learning rate and weight decay of each parameter of a model, by name."""
    init_default_scope("mmseg")
    model = MODELS.build(cfg.model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    return {
        names.get(id(parameter), "of MMEngine"): [group["lr"], group["weight_decay"]]
        for group in wrapper.param_groups
        for parameter in group["params"]
    }


def rates(cfg, num_iters):
    """Return the learning rate of each of the first iterations."""
    init_default_scope("mmseg")
    wrapper = build_optim_wrapper(
        torch.nn.Linear(1, 1), {"type": "OptimWrapper", "optimizer": cfg.optim_wrapper.optimizer}
    )
    schedulers = [PARAM_SCHEDULERS.build(each, default_args={"optimizer": wrapper}) for each in cfg.param_scheduler]
    values = []
    for _ in range(num_iters):
        wrapper.step()
        values += wrapper.get_lr()["lr"][:1]
        for scheduler in schedulers:
            scheduler.step()
    return values


def write(path, value):
    """Write a result as JSON, which keeps every bit of a float."""
    Path(path).write_text(json.dumps(value))
