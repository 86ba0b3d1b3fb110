"""A small checkpoint with a description, made without a training."""

import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from semseg import config, labels
from semseg.checkpoints import facts
from semseg.checkpoints.description import SCHEMA, describe_state, describe_validation
from semseg.checkpoints.plain import plain
from tests.conftest import CONFIG

SMALL = [
    "model.backbone.base_channels=2",
    "model.backbone.stem_channels=2",
    "model.decode_head.in_channels=8",
    "model.decode_head.channels=4",
    "model.auxiliary_head.in_channels=4",
    "model.auxiliary_head.channels=2",
]


def small_config(*options):
    return config.load_config(CONFIG, [*SMALL, *options])


def describe(cfg, **changes):
    """Return the description that the hook would write, with all keys that are read somewhere."""
    run = {
        "schema": SCHEMA,
        "classes": labels.CITYSCAPES.classes,
        "palette": labels.CITYSCAPES.palette,
        "label_map": None,
        "config": cfg.to_dict(),
        "config_file": cfg.filename,
        "versions": facts.versions(),
        "data": {"sha256": "ab" * 32, "images": {"train": 8, "val": 3}},
        "git": {"revision": "c" * 40, "dirty": True},
        "command": "python tools/train.py x.py",
        "seed": 0,
        "num_processes": 2,
    }
    scores = {"mIoU": 41.5, "aAcc": 80.0, "IoU/road": 90.0, "IoU/bus": float("nan"), "IoU/wall": 3.5, "IoU/rider": 1.0}
    state = describe_state(4, describe_validation(4, scores), averaged=False)
    return plain({**run, **state, **changes})


def checkpoint(cfg=None, weights=None, **changes):
    """Return the content of a checkpoint of a small model; with random weights, unless they are given."""
    cfg = cfg or small_config()
    if weights is None:
        init_default_scope("mmseg")
        torch.manual_seed(0)
        weights = MODELS.build(cfg.copy().model).state_dict()
    names = {key: changes.get(key, getattr(labels.CITYSCAPES, key)) for key in ("classes", "palette")}
    meta = {"dataset_meta": names, "iter": 4, "epoch": 0, "seed": 0, "time": "20260101_000000", "cfg": "x = 1\ny = 2\n"}
    return {
        "meta": plain(meta) | {"semseg": describe(cfg, **changes)},
        "state_dict": weights,
        "optimizer": {"state": {}},
        "message_hub": {},
    }


def save(path, content):
    torch.save(content, path)
    return path
