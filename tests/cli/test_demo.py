"""`make demo`, with a training that is too short to learn."""

import shutil
import subprocess
import sys

import pytest

from semseg.cli import demo, toycity
from tests.conftest import REPO, raises


@pytest.mark.slow
def test_the_demo_runs_the_whole_line_and_names_what_it_leaves(tmp_path):
    for folder in ("tools", "configs"):
        shutil.copytree(REPO / folder, tmp_path / folder)
    quick = ["train_cfg.max_iters=4", "train_cfg.val_interval=4", "train_dataloader.batch_size=2"]
    command = [sys.executable, tmp_path / "tools/demo.py", "--pictures", "20", "--cfg-options", *quick]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OneDL" not in done.stdout  # no program shows what MMSegmentation prints
    assert "Fail to import" not in done.stderr
    summary = done.stdout.partition("\nDone in ")[2]
    for text in (
        "ToyCity val, which chose the checkpoint ",
        "ToyCity test, which chose nothing ",
        "Rosario, a city not in the training set ",
        "mIoU ",
        "aAcc ",
    ):
        assert text in summary
    checkpoint = f"work_dirs/{demo.RECIPE}/best_mIoU_iter_4.pth"
    for path in ("outputs/demo/report.html", checkpoint, "outputs/demo/rosario/vis", "outputs/demo/rosario_labelled"):
        assert path in summary
        assert (tmp_path / path).exists()
    assert len(list((tmp_path / "outputs/demo/rosario/pred").rglob("*.png"))) == 2


def test_a_demo_without_pictures_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with raises("E-input-range", "0; expected 1 or more"):
        demo.main(["--pictures", "0"])
    assert not list(tmp_path.iterdir())


def test_the_other_numbers_of_pictures_go_with_those_to_train_on():
    assert demo._counts(toycity.TOYCITY_COUNTS, None) == []
    assert demo._counts(toycity.TOYCITY_COUNTS, 400) == ["--train", "400", "--val", "80", "--test", "40"]
    assert demo._counts(toycity.ROSARIO_COUNTS, 1) == ["--photos", "1", "--labelled", "1"]
