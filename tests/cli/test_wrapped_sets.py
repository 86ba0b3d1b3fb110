"""Data sets inside ConcatDataset, RepeatDataset and lists, in validation and test, by the real programs."""

import numpy as np
import pytest
from PIL import Image

from tests.conftest import CONFIG, SHORT, results_in, run, scores_in

pytestmark = pytest.mark.slow

WRAPPED = f"""
_base_ = "{CONFIG}"
_val = dict(type="CityscapesDataset", data_root="data/toycity", pipeline={{{{_base_.test_pipeline}}}},
            data_prefix=dict(img_path="leftImg8bit/val", seg_map_path="gtFine/val"))
_train = dict(_val, data_prefix=dict(img_path="leftImg8bit/train", seg_map_path="gtFine/train"))
val_dataloader = dict(dataset=dict(_delete_=True, type="RepeatDataset", times=2,
                                   dataset=dict(type="ConcatDataset", datasets=[_val, _train])))
test_dataloader = dict(dataset=dict(_delete_=True, type="ConcatDataset", datasets=[_val, _train]))
test_evaluator = [dict(type="IoUMetric", iou_metrics=["mIoU"])]
"""


@pytest.fixture(scope="module")
def config(town):
    (town / "wrapped.py").write_text(WRAPPED)
    return "wrapped.py"


def test_wrapped_sets_validate_and_are_tested_with_views_and_pictures(town, config):
    short = [*SHORT, "train_cfg.max_iters=2"]
    done = run(town, "train.py", config, "--work-dir", "wrapped", *short)
    assert "mIoU" in done.stdout
    checkpoint = town / "wrapped/iter_2.pth"
    run(town, "test.py", config, checkpoint, "--work-dir", "wrapped", "--tta", "--out", "wrapped_ids",
        "--show-dir", "wrapped_seen")  # fmt: skip
    stored = sorted(path.relative_to(town / "wrapped_ids") for path in (town / "wrapped_ids").rglob("*.png"))
    assert len(stored) == 11
    assert {path.parts[0] for path in stored} == {"train", "val"}
    assert len(list((town / "wrapped_seen").rglob("*.jpg"))) == 11
    assert all(np.asarray(Image.open(town / "wrapped_ids" / path)).max() < 19 for path in stored)
    assert "IoU/road" in scores_in(town / "wrapped")


def test_a_list_of_sets_is_one_set(town, config):
    (town / "listed.py").write_text(
        WRAPPED + "\ntest_dataloader = dict(dataset=[_val, _train])\ntest_evaluator = test_evaluator[0]\n"
    )
    run(town, "test.py", "listed.py", town / "wrapped/iter_2.pth", "--work-dir", "listed")
    assert results_in(town / "listed")["data"]["num_images"] == 11
