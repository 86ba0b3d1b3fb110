"""Mask2Former, whose parts come from MMDetection, is trained, tested and used by the programs."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.config.test_dataset_files import write_set
from tests.conftest import run, scores_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("mmdet") is None, reason="MMDetection is not installed: .[mmdet]"),
]
CONFIG = (
    Path(importlib.util.find_spec("mmseg").origin).parent
    / ".mim/configs/mask2former/mask2former_r50_8xb2-90k_cityscapes-512x1024.py"
)
SHORT = [
    "--cfg-options",
    "model.backbone.init_cfg=None",
    "train_cfg.max_iters=1",
    "train_cfg.val_interval=1",
    *(f"{split}_dataloader.num_workers=0" for split in ("train", "val", "test")),
    *(f"{split}_dataloader.persistent_workers=False" for split in ("train", "val", "test")),
]


def test_a_mask2former_learns_a_data_set_and_its_checkpoint_describes_itself(tmp_path):
    write_set(tmp_path, size=(61, 47))
    # in processes of their own: the others import MMSegmentation before this project repairs it
    run(tmp_path, "train.py", CONFIG, "--data", "dataset.yaml", "--no-check", "--work-dir", "run", *SHORT, fresh=True)
    run(tmp_path, "test.py", "run/iter_1.pth", "--work-dir", "run", "--no-report", fresh=True)
    assert {"mIoU", "IoU/sand", "IoU/water"} <= scores_in(tmp_path / "run").keys()
    run(tmp_path, "infer.py", "run/iter_1.pth", "photos/val", "--out-dir", "out", fresh=True)
    for path in (tmp_path / "out/pred").glob("*.png"):
        with Image.open(path) as mask:
            assert mask.size == (61, 47) and set(np.unique(mask)) <= {0, 1}
