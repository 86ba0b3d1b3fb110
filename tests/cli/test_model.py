"""Checkpoints that describe themselves, by the real programs."""

import copy
import json
import os
import re

import pytest
import torch

from semseg.checkpoints.reading import read_checkpoint
from tests.checkpoints.described import checkpoint, save
from tests.conftest import CONFIG, results_in, run, scores_in

pytestmark = pytest.mark.slow


class RunsCode:
    def __reduce__(self):
        return (os.mkdir, ("code_was_run",))


@pytest.fixture(scope="module")
def published(town, trained):
    """A .pth and a .safetensors; the config of the training is out of reach."""
    done = run(town, "model.py", "publish", trained / "best.pth", "--out-dir", "published")
    paths = [town / line.split()[0] for line in done.stdout.splitlines() if line.endswith(" MB")]
    assert [path.suffix for path in paths] == [".pth", ".safetensors"]
    return paths


def test_a_training_leaves_checkpoints_that_describe_themselves(town, trained):
    found = read_checkpoint(trained / "best.pth")["meta"]["semseg"]
    assert found["data"]["images"] == {"train": 8, "val": 3}
    assert found["config_file"] == str(CONFIG)
    (step,) = [one for one in found["config"]["train_dataloader"]["dataset"]["dataset"]["pipeline"]
               if one["type"] == "RandomCrop"]  # fmt: skip
    assert step["crop_size"] == (64, 128)
    assert {"mIoU", "IoU/road"} <= found["metrics"]["scores"].keys()
    (record,) = trained.glob("*/run.json")
    record = json.loads(record.read_text())
    assert record["data"] == found["data"]
    assert record["command"] == found["command"]
    assert "--seed 0 --cfg-options train_cfg.max_iters=4" in record["command"]

    shown = run(town, "model.py", "describe", trained / "best.pth").stdout
    assert re.search(r"^  classes   19: road, sidewalk, ", shown, re.MULTILINE)
    assert f"iteration {found['iteration']} of 4; 1 x 2 images; AdamW" in shown


def test_testing_needs_no_config(town, trained, published):
    run(town, "test.py", CONFIG, trained / "best.pth", "--work-dir", "with_config")
    run(town, "test.py", published[1], "--work-dir", "without", "--show-dir", "without_seen")
    assert scores_in(town / "without") == scores_in(town / "with_config")
    for work_dir in ("with_config", "without"):  # the name, however the config was given
        assert results_in(town / work_dir)["run"]["config"] == CONFIG.stem
    assert len(list((town / "without_seen").rglob("*.jpg"))) == 3


def test_inference_needs_no_config(town, trained, published):
    run(town, "infer.py", CONFIG, "--out-dir", "masks", trained / "best.pth", "data/rosario")
    run(town, "infer.py", published[0], "data/rosario", "--out-dir", "masks_without")
    masks = sorted((town / "masks/pred").rglob("*.png"))
    assert len(masks) == 3
    for path in masks:
        other = town / "masks_without/pred" / path.relative_to(town / "masks/pred")
        assert other.read_bytes() == path.read_bytes()


def test_a_test_loads_strictly(town):
    content = checkpoint()  # of a smaller model
    del content["meta"]["semseg"]
    save(town / "small.pth", content)
    done = run(town, "test.py", CONFIG, "small.pth", "--work-dir", "strict", code=2)
    assert "error: small.pth does not fit the model of the config: " in done.stderr
    assert re.search(r"\d+ keys have another shape \(backbone\.\S+ \[.*\] instead of \[", done.stderr)


def test_a_file_that_carries_code_needs_the_flag(town):
    save(town / "evil.pth", {"state_dict": {"w": torch.ones(1)}, "meta": {"extra": RunsCode()}})
    done = run(town, "model.py", "describe", "evil.pth", code=2)
    assert done.stderr.startswith("error: evil.pth is not loaded: it holds more than weights (posix.mkdir)")
    assert "--trust-checkpoint" in done.stderr
    assert not (town / "code_was_run").exists()
    run(town, "model.py", "describe", "evil.pth", "--trust-checkpoint")
    assert (town / "code_was_run").is_dir()


def test_a_hostile_description_is_refused(town, trained):
    content = copy.deepcopy(read_checkpoint(trained / "best.pth"))
    content["meta"]["semseg"]["config"]["model"]["backbone"] = {"type": "os.mkdir", "path": "function_was_called"}
    save(town / "hostile.pth", content)
    done = run(town, "infer.py", "hostile.pth", "data/rosario", code=2)
    assert "hostile.pth is not used without a config: in its description, model.backbone.type is" in done.stderr
    assert not (town / "function_was_called").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["test.py", CONFIG], "CHECKPOINT is missing: expected [CONFIG] CHECKPOINT"),
        (["infer.py", CONFIG, "a.jpg"], "INPUT or CHECKPOINT is missing: expected [CONFIG] CHECKPOINT INPUT"),
        (["test.py", "plain.pth"], "plain.pth does not describe its model: name the config"),
        (["dist_test.sh", "none.pth", 2], "no checkpoint none.pth"),
    ],
)
def test_wrong_input_is_one_sentence(town, command, message):
    save(town / "plain.pth", {"state_dict": {}, "meta": {}})
    done = run(town, *command, code=2)
    assert message in done.stderr
