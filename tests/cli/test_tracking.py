"""A run that is watched, killed, resumed and extended, by the real programs."""

import json
import re

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from semseg import compat
from tests.conftest import CONFIG, SHORT, run, scores_in

pytestmark = pytest.mark.slow

WATCHED = [
    CONFIG, "--seed", 0, "--work-dir", "watched", "--no-check", "--val-loss", "--ema", "--early-stop", 5,
    "--monitor", "val/loss",
]  # fmt: skip
POLY = "param_scheduler.1.begin=1", "param_scheduler.0.end=1"  # so that a run of few iterations meets it


@pytest.fixture(scope="module")
def watched(town):
    """The work folder of a run of 4 iterations that was killed after its checkpoint of iteration 2, and extended."""
    first = run(town, "train.py", *WATCHED, *SHORT, *POLY)
    assert "EMA: the weights that are validated, saved and tested are averaged" in first.stdout
    work_dir = town / "watched"
    for path in [*work_dir.glob("iter_4.pth"), *work_dir.glob("best*"), work_dir / "last.pth"]:
        path.unlink(missing_ok=True)
    (work_dir / "stdout.txt").write_text(
        run(town, "train.py", *WATCHED, "--resume", *SHORT, *POLY, "train_cfg.max_iters=6").stdout
    )
    return work_dir


def test_an_extended_run_says_where_its_schedule_goes_on(watched):
    shown = (watched / "stdout.txt").read_text()
    rates = [json.loads(line).get("lr") for line in next(watched.rglob("scalars.json")).read_text().splitlines()]
    (third,) = [rate for rate in rates if rate is not None][2:3]
    assert f"schedule extended from 4 to 6 iterations: learning rate goes on at {third:.4g}" in shown
    assert re.search(r"continues \S+/watched/(\w+)/\1.log after iteration 2", shown)


def test_tensorboard_shows_one_curve_with_the_validation_loss(watched):
    (folder,) = watched.rglob("vis_data")
    board = EventAccumulator(str(folder)).Reload()
    steps = {tag: [event.step for event in board.Scalars(tag)] for tag in board.Tags()["scalars"]}
    assert steps["loss"] == steps["lr"] == [1, 2, 3, 4, 5, 6]
    assert steps["mIoU"] == steps["val/loss"] == steps["ema_momentum"] == [2, 4, 6]
    lines = [json.loads(line) for line in (folder / "scalars.json").read_text().splitlines()]
    assert [line["step"] for line in lines if "lr" in line] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in lines if "val/loss" in line] == [2, 4, 6]


def test_the_best_checkpoint_is_that_of_the_least_loss_and_holds_the_averaged_weights(town, watched):
    (best,) = watched.glob("best_val_loss_iter_*.pth")
    content = compat.load_checkpoint_file(best)
    scores = content["message_hub"]["runtime_info"]["monitored"]["scores"]
    assert min(scores, key=lambda pair: pair[1])[0] == content["meta"]["iter"]
    (validated,) = [
        entry
        for entry in map(json.loads, next(watched.rglob("scalars.json")).read_text().splitlines())
        if entry["step"] == content["meta"]["iter"] and "mIoU" in entry
    ]
    run(town, "test.py", CONFIG, best, "--work-dir", "watched_test")
    assert scores_in(town / "watched_test")["mIoU"] == pytest.approx(validated["mIoU"], abs=0.006)  # rounded there
