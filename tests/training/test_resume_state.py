import json
import re
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from semseg import compat
from semseg.system.stopping import Stopped
from tests.conftest import raises
from tests.training.toy_runs import log_of, scalars_of, toy_runner

HOOKS = [dict(type="ContinuationHook"), dict(type="OneCurveHook"), dict(type="MonitorHook", rule="less")]
PARTS = dict(optim_wrapper=dict(paramwise_cfg=dict(custom_keys=dict(norm=dict(lr_mult=2)))))


def schedule(num_iters):
    return [
        dict(type="LinearLR", start_factor=0.1, begin=0, end=2, by_epoch=False),
        dict(type="PolyLR", eta_min=1e-4, power=0.9, begin=2, end=num_iters, by_epoch=False),
    ]


def trained(work_dir, max_iters, resume=None, planned=None, **changes):
    if resume:
        time.sleep(1)  # TensorBoard orders files by the second in their names, then .10 before .9
    runner = toy_runner(
        work_dir, max_iters, hooks=HOOKS, schedule=schedule(planned or max_iters), resume=resume, **PARTS, **changes
    )
    runner.train()
    return runner


def learning_rates(runner):
    """Map each iteration to two learning rates: of most parameters, and of those with the double rate."""
    entries = scalars_of(Path(runner.work_dir))
    return {entry["step"]: (entry["base_lr"], entry["lr"]) for entry in entries if "lr" in entry}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("short"), 6)


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("long"), 12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "done", "after", "words"),
    [
        ("short", 4, "long", "schedule extended from 6 to 12 iterations"),
        ("short", 6, "long", "schedule extended from 6 to 12 iterations"),
        ("long", 4, "short", "schedule shortened from 12 to 6 iterations"),
    ],
)
def test_a_changed_schedule_continues_as_if_planned_from_the_start(request, tmp_path, before, done, after, words):
    before, after = request.getfixturevalue(before), request.getfixturevalue(after)
    resumed = trained(tmp_path, after.max_iters, resume=f"{before.work_dir}/iter_{done}.pth")
    planned = {step: lr for step, lr in learning_rates(after).items() if step > done}
    assert learning_rates(resumed) == planned
    base, double = planned[done + 1]
    assert base < double
    (line,) = [line for line in log_of(resumed).splitlines() if "INFO - schedule" in line]
    assert line.endswith(f"{words}: learning rate goes on at {base:.4g}")
    content, expected = (
        compat.load_checkpoint_file(f"{runner.work_dir}/iter_{after.max_iters}.pth") for runner in (resumed, after)
    )
    groups = [[group["lr"] for group in each["optimizer"]["param_groups"]] for each in (content, expected)]
    assert groups[0] == groups[1]
    assert content["optimizer"]["state"][0]["step"] == after.max_iters  # AdamW continued to count


@pytest.mark.slow
def test_an_unchanged_schedule_continues_as_stored(short, tmp_path):
    resumed = trained(tmp_path, 6, resume=f"{short.work_dir}/iter_4.pth")
    assert learning_rates(resumed) == {step: lr for step, lr in learning_rates(short).items() if step > 4}
    assert "INFO - schedule" not in log_of(resumed)


def test_a_longer_run_on_the_same_schedule_stays_at_its_end(short, tmp_path):
    resumed = trained(tmp_path, 8, resume=f"{short.work_dir}/iter_6.pth", planned=6)
    assert set(learning_rates(resumed).values()) == {learning_rates(short)[6]}


def test_another_learning_rate_takes_effect(short, tmp_path):
    optimizer = dict(type="AdamW", lr=0.02)
    changes = dict(optim_wrapper=PARTS["optim_wrapper"] | dict(optimizer=optimizer))
    runner = toy_runner(
        tmp_path, 6, hooks=HOOKS, schedule=schedule(6), resume=f"{short.work_dir}/iter_4.pth", **changes
    )
    runner.train()
    expected = 1e-4 + (0.02 - 1e-4) * (1 - 2 / 3) ** 0.9  # PolyLR, two steps of three
    assert learning_rates(runner)[5][0] == pytest.approx(expected, rel=1e-3)
    assert f"schedule changed: learning rate goes on at {learning_rates(runner)[5][0]:.4g}" in log_of(runner)


def test_a_run_cannot_end_before_its_checkpoint(short, tmp_path):
    message = "train_cfg.max_iters is 2, but iter_4.pth .* iteration 4 .* `cfg_options` train_cfg.max_iters=6$"
    with raises("E-config-resume-length", message):
        trained(tmp_path, 2, resume=f"{short.work_dir}/iter_4.pth", planned=6)


def test_a_run_that_averages_its_weights_has_to_continue_with_it(tmp_path):
    toy_runner(tmp_path, 2, hooks=[dict(type="AveragedWeightsHook")]).train()
    with raises("E-config-resume-differs", r"^iter_2.pth .* \(EMA\); add `ema`"):
        trained(tmp_path, 4, resume=tmp_path / "iter_2.pth")


def steps_on_board(work_dir):
    """Return the steps of every curve in TensorBoard, except `time` and `data_time`, which both loops write."""
    (folder,) = work_dir.rglob("vis_data")
    board = EventAccumulator(str(folder)).Reload()
    return {
        tag: [event.step for event in board.Scalars(tag)]
        for tag in board.Tags()["scalars"]
        if tag not in ("time", "data_time")
    }


@pytest.mark.slow
def test_a_resumed_run_appends_to_the_same_curves(tmp_path):
    first = trained(tmp_path, 6)
    with (Path(first.log_dir) / "vis_data/scalars.json").open("a") as file:
        file.write('{"loss": 0.')  # killed
    second = trained(tmp_path, 8, resume=tmp_path / "iter_4.pth")
    third = trained(tmp_path, 10, resume=tmp_path / "iter_6.pth")
    steps = steps_on_board(tmp_path)
    assert steps["loss"] == steps["lr"] == list(range(1, 11))
    assert steps["mIoU"] == [2, 4, 6, 8, 10]
    assert set(Counter(("loss" in entry, entry["step"]) for entry in scalars_of(tmp_path)).values()) == {1}
    assert [entry["step"] for entry in scalars_of(tmp_path) if "loss" in entry] == list(range(1, 11))
    assert f"continues {tmp_path}/{first.timestamp}/{first.timestamp}.log after iteration 4" in log_of(second)
    assert f"continues {tmp_path}/{second.timestamp}/{second.timestamp}.log after iteration 6" in log_of(third)
    assert Path(third.log_dir).is_dir()


class TrialHook(Hook):
    """End the run before its first iteration."""

    priority = "LOW"

    def before_train(self, runner):
        raise Stopped("a dry run", 0)


def test_a_trial_does_not_change_the_curves(tmp_path):
    trained(tmp_path, 4)
    before = scalars_of(tmp_path)
    resume = tmp_path / "iter_2.pth"
    runner = toy_runner(tmp_path, 4, hooks=HOOKS, schedule=schedule(4), resume=resume, **PARTS)
    runner.register_hook(TrialHook())
    with pytest.raises(Stopped):
        runner.train()
    assert scalars_of(tmp_path) == before


@pytest.mark.slow
def test_a_validation_that_will_be_repeated_is_shown_once(tmp_path):
    trained(tmp_path, 4)
    path = tmp_path / "iter_4.pth"
    content = compat.load_checkpoint_file(path)
    info = content["message_hub"]["runtime_info"]
    info["last_validation"] = info["record"]["validated"] = 2  # killed between the log line and the checkpoint
    torch.save(content, path)
    resumed = trained(tmp_path, 6, resume=path)
    assert "iteration 4 was not validated" in log_of(resumed)
    steps = steps_on_board(tmp_path)
    assert steps["mIoU"] == [2, 4, 6]
    assert steps["loss"] == [1, 2, 3, 5, 6]
    assert [entry["step"] for entry in scalars_of(tmp_path) if "mIoU" in entry] == [2, 4, 6]


@pytest.mark.slow
def test_new_curves_are_started_if_the_old_ones_were_deleted(tmp_path):
    first = trained(tmp_path, 2, planned=6)
    shutil.rmtree(first.log_dir)
    trained(tmp_path, 4, resume=tmp_path / "iter_2.pth")
    assert steps_on_board(tmp_path)["loss"] == [3, 4]


@pytest.mark.slow
def test_a_save_dir_of_the_config_is_kept(tmp_path):
    visualizer = dict(save_dir=str(tmp_path / "mine"))
    trained(tmp_path, 4, visualizer=visualizer)
    trained(tmp_path, 4, resume=tmp_path / "iter_2.pth", visualizer=visualizer)
    assert steps_on_board(tmp_path)["loss"] == [1, 2, 3, 4]


def test_a_new_run_in_the_same_folder_starts_its_own_curves(tmp_path):
    first, second = trained(tmp_path, 2, planned=6), trained(tmp_path, 2, planned=6)
    if first.timestamp != second.timestamp:
        assert len(list(tmp_path.rglob("vis_data"))) == 2
    assert not re.search("continues", log_of(second))
    assert json.loads((Path(second.log_dir) / "vis_data/scalars.json").read_text().splitlines()[0])["step"] == 1
