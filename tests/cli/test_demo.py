"""`make demo`, with a training that is too short to learn."""

import shutil
import subprocess
import sys

import pytest

from tests.conftest import CONFIG, REPO


@pytest.mark.slow
def test_the_demo_runs_the_whole_line_and_names_what_it_leaves(tmp_path):
    for folder in ("tools", "configs"):
        shutil.copytree(REPO / folder, tmp_path / folder)
    quick = ["train_cfg.max_iters=4", "train_cfg.val_interval=4", "train_dataloader.batch_size=2"]
    command = [sys.executable, tmp_path / "tools/demo.py", "--cfg-options", *quick]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OneDL" not in done.stdout  # no program shows what MMSegmentation prints
    assert "Fail to import" not in done.stderr
    summary = done.stdout.partition("\nDone in ")[2]
    for text in ("ToyCity val, streets like those it learnt ", "Rosario, a city that it never saw ", "mIoU ", "aAcc "):
        assert text in summary
    checkpoint = f"work_dirs/{CONFIG.stem}/best_mIoU_iter_4.pth"
    for path in ("outputs/demo/report.html", checkpoint, "outputs/demo/rosario/vis", "outputs/demo/rosario_labelled"):
        assert path in summary
        assert (tmp_path / path).exists()
    assert len(list((tmp_path / "outputs/demo/rosario/pred").rglob("*.png"))) == 24
