"""A plan, its training, its folds, and their ensemble, on a drawn set."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.analysis.cross_validation import read_folds
from semseg.config import load_config
from tests.conftest import run
from tests.planning.drawn_sets import squares, write_set

pytestmark = pytest.mark.slow
TWO = ["--cfg-options", "train_cfg.max_iters=2", "train_cfg.val_interval=2", "default_hooks.checkpoint.interval=2"]


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planned")
    write_set(folder / "set", squares(10), ["ground", "square"], splits=("train", "test"))
    done = run(folder, "plan.py", "set", "--minutes", "2", "--out", "mine/plan.py")
    return folder, done.stdout


def test_a_plan_is_printed_and_written_and_trains(planned):
    folder, output = planned
    record = json.loads((folder / "mine/plan.json").read_text())
    text = (folder / "mine/plan.py").read_text()
    for choice in record["choices"]:
        assert choice["choice"] in output
        assert f"# {choice['name']}: " in text
    assert record["fingerprint"]["classes"][1]["width_px"] == 24
    assert record["fingerprint"]["num_pictures"] == {"train": 8, "val": 2, "test": 10}  # a fifth of the training
    assert "has no split 'val'" in " ".join(output.split())
    assert load_config(folder / "mine/plan.py").train_cfg.max_iters > 50
    assert not list((folder / "mine").glob(".plan*"))
    run(folder, "train.py", "mine/plan.py", "--work-dir", "run", *TWO)
    assert (folder / "run/last.pth").is_file()


def test_folds_are_trained_tested_and_joined(planned):
    folder, _ = planned
    command = ["train.py", "mine/plan.py", "--work-dir", "folds", "--folds", "2", "--out-of-fold", "seen", *TWO]
    done = run(folder, *command)
    assert "95 % interval" in done.stdout
    assert "IoU square" in done.stdout
    folds = read_folds(folder / "folds")
    held_out = [pair.image_path.name for fold in folds for pair in fold.held_out]
    assert len(held_out) == len(set(held_out)) == 8
    assert len(list((folder / "seen").rglob("*.png"))) == 8
    again = run(folder, *command)
    assert again.stdout.count("finished before") == 2
    refused = run(folder, *command, "train_dataloader.batch_size=3", code=2)
    assert "another config" in refused.stderr

    suspects = ["dataset.py", "suspects", "set/dataset.yaml", "--checkpoint", "folds", "--min-area", "4"]
    judged = run(folder, *suspects, "--package", "coco")
    assert "8 images" in judged.stdout
    account = json.loads((folder / "outputs/suspects/suspects.json").read_text())
    order = list(dict.fromkeys(Path(row["image"]).name for row in account["suspects"][:50]))
    package = folder / "outputs/suspects/label_next"
    written = json.loads((package / "annotations/instances_default.json").read_text())["images"]
    assert [Path(image["file_name"]).name for image in written] == order
    assert "may hold corrections" in run(folder, *suspects, "--package", "coco", code=2).stderr

    one = str(folds[0].checkpoint)
    run(folder, "model.py", "ensemble", "folds", "--out", "both.pth")
    run(folder, "model.py", "ensemble", one, one, "--out", "twice.pth")
    run(folder, "test.py", "both.pth", "--work-dir", "tested", "--no-report")
    for name, checkpoint in (("single", one), ("twice", "twice.pth"), ("both", "both.pth")):
        run(folder, "infer.py", checkpoint, "set/images/test", "--out-dir", name, "--precision", "fp32")
    for path in sorted((folder / "single").rglob("*.png")):
        others = [np.array(Image.open(folder / name / path.relative_to(folder / "single"))) for name in ("twice",)]
        assert np.array_equal(np.array(Image.open(path)), others[0])


@pytest.mark.parametrize(
    "options, message",
    [
        (["--fold", "1"], "--fold needs --folds"),
        (["--folds", "1"], "expected 2 or more"),
        (["--folds", "2", "--fold", "3"], "expected 1 to 2"),
        (["--folds", "9"], "form 8 groups"),
    ],
)
def test_wrong_folds_are_one_sentence(planned, options, message):
    folder, _ = planned
    assert message in run(folder, "train.py", "mine/plan.py", "--work-dir", "wrong", *options, code=2).stderr


@pytest.mark.parametrize(
    "words, message",
    [
        (["missing"], "no dataset file"),
        (["set", "--minutes", "0"], "--minutes 0: expected a number above 0"),
        (["set", "--minutes", "0.01"], "steps fit; give 1 minutes or more"),
        (["set", "--out", "set"], "expected *.py"),
        (["set", "--device", "cuda"], "no GPU"),
    ],
)
def test_wrong_plans_are_one_sentence(planned, words, message):
    folder, _ = planned
    out = [] if "--out" in words else ["--out", "wrong.py"]
    assert message in run(folder, "plan.py", *words, *out, code=2).stderr


def test_one_checkpoint_is_no_ensemble(planned):
    folder, _ = planned
    refused = run(folder, "model.py", "ensemble", "missing.pth", "missing.pth", "--out", "x.pth", code=2)
    assert "no checkpoint missing.pth" in refused.stderr
