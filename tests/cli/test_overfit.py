import re

import pytest

from tests.conftest import CONFIG, run

SMALL = [
    "--seed", 0, "--cfg-options", "model.data_preprocessor.size=(64,128)", "train_dataloader.num_workers=0",
    "train_dataloader.persistent_workers=False",
]  # fmt: skip


@pytest.mark.slow
def test_a_healthy_set_up_passes_and_shows_what_it_learned(town, tmp_path):
    done = run(town, "train.py", CONFIG, "--overfit", 1, "--work-dir", tmp_path, *SMALL, "train_cfg.val_interval=10")
    passed = re.search(
        r"overfit: mIoU (\S+) % on 1 image after (\d+) iterations \(\d+ s\): the set-up can learn", done.stdout
    )
    assert float(passed[1]) > 95
    assert int(passed[2]) < 500
    panels = sorted(path.name for path in tmp_path.glob("overfit/*/panels/*.jpg"))
    assert panels[-1].endswith(f"_iter_{int(passed[2]):06d}.jpg")
    assert not list(tmp_path.rglob("*.pth"))
    assert "repeated" not in done.stdout  # that it validates on what it trains on is meant


@pytest.mark.slow
def test_a_set_up_that_cannot_learn_fails_in_one_sentence_with_two_processes(town, tmp_path):
    done = run(
        town, "dist_train.sh", CONFIG, 2, "--overfit", 2, "--work-dir", tmp_path, *SMALL, "train_cfg.max_iters=3",
        "optim_wrapper.optimizer.lr=0", code=1,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if "overfit" in line]
    expected = (
        r"overfit: mIoU \S+ % on 2 images after 3 iterations, expected more than 95 %: the loss stayed at \S+, \d+ of"
    )
    assert re.match(expected, sentence)
    assert list(tmp_path.glob("overfit/*/panels/*_iter_000003.jpg"))
