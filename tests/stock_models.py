"""Three architectures of MMSegmentation's model zoo at a tiny size, from its own bases: nothing of this project.

MMSegmentation's programs read these configs as they are, so its runs can be compared with those of this project.
"""

import json
import re
from pathlib import Path

from bench import stock_tools
from tests.conftest import run_code

BASES = stock_tools().parent / "configs/_base_"
CROP = (64, 96)  # height, width: no square, and the width is no power of two
ARCHITECTURES = {
    "pspnet": ("pspnet_r50-d8.py", "pretrained=None, backbone=dict(depth=18, base_channels=4, stem_channels=4),"
               " decode_head=dict(in_channels=32, channels=8), auxiliary_head=dict(in_channels=16, channels=8)"),
    "deeplabv3plus": ("deeplabv3plus_r50-d8.py", "pretrained=None,"
                      " backbone=dict(depth=18, base_channels=4, stem_channels=4),"
                      " decode_head=dict(in_channels=32, channels=8, c1_in_channels=4, c1_channels=4,"
                      " align_corners=True),"
                      " auxiliary_head=dict(in_channels=16, channels=8)"),
    "unet": ("fcn_unet_s5-d16.py", "backbone=dict(base_channels=4),"
             " decode_head=dict(in_channels=4, channels=4, num_classes=19),"
             " auxiliary_head=dict(in_channels=8, channels=4, num_classes=19),"
             " test_cfg=dict(mode='slide', crop_size=(32, 48), stride=(21, 32))"),
}  # fmt: skip
"""Name to the base of the model and what is changed in it."""


def config_text(name, max_iters, val_interval):
    """Return a config file of a training on the town's `data/toycity` that validates in between.

    The model has dropout, and the pipeline all augmentations of the Cityscapes recipe, in two workers: the order of all
    random numbers counts.
    """
    base, changes = ARCHITECTURES[name]
    bases = [f"models/{base}", "datasets/cityscapes.py", "default_runtime.py", "schedules/schedule_40k.py"]
    return f"""
_base_ = {json.dumps([str(BASES / base) for base in bases])}
_crop = {CROP}
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(161, 83), keep_ratio=True),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs"),
]
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=(160, 80), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=_crop, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
    dict(type="PackSegInputs"),
]
model = dict(data_preprocessor=dict(size=_crop), {changes})
train_dataloader = dict(dataset=dict(data_root="data/toycity", pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(data_root="data/toycity", pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_iters={max_iters}, val_interval={val_interval})
default_hooks = dict(checkpoint=dict(interval={val_interval}), logger=dict(interval=1))
randomness = dict(seed=3)
"""


def write_config(folder: Path, name, max_iters=40000, val_interval=2):
    """Write such a config as `<name>_4xb2-tiny.py` to a folder, and return its path."""
    path = folder / f"{name}_4xb2-tiny.py"
    path.write_text(config_text(name, max_iters, val_interval))
    return path


def run_stock(folder: Path, program, *arguments):
    """Run a program of MMSegmentation in a folder, without this project."""
    path = str(stock_tools() / program)
    words = [path, *map(str, arguments)]
    code = f"import runpy, sys\nsys.argv = {words!r}\nrunpy.run_path({path!r}, run_name='__main__')\n"
    done = run_code(folder, code)
    assert done.returncode == 0, done.stderr


def log_of(folder: Path):
    """Return the text of the only log below a work folder."""
    (path,) = folder.rglob("*.log")
    return path.read_text()


def table_of(text):
    """Return the last table of scores in a log, and the means below it, as they are printed."""
    rows = re.findall(r"^\|\s+(\S.*?)\s+\|\s+(\S+)\s+\|\s+(\S+)\s+\|$", text, re.MULTILINE)
    start = max(i for i, row in enumerate(rows) if row == ("Class", "IoU", "Acc"))
    means = re.findall(r"Iter\(\w+\) \[\d+/\d+\]\s+(aAcc: \S+  mIoU: \S+  mAcc: \S+)", text)
    return rows[start + 1 :], means[-1]
