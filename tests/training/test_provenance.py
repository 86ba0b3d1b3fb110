import json
from pathlib import Path

import pytest
import torch

from semseg.checkpoints.description import description_of
from semseg.checkpoints.publish import publish
from semseg.checkpoints.reading import read_checkpoint
from tests.training.toy_runs import toy_runner

DESCRIBED = dict(type="DescriptionHook")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Six iterations, validated after 2, 4 and 6 with the scores 10, 30 and nan; averaged weights."""
    hooks = [DESCRIBED, dict(type="EMAHook", momentum=0.5)]
    runner = toy_runner(tmp_path_factory.mktemp("toy"), hooks=hooks, scores=[10, 30, float("nan")])
    runner.train()
    return runner


def described(run, name):
    return description_of(read_checkpoint(Path(run.work_dir) / name))


def test_every_checkpoint_has_the_scores_of_the_last_validation(run):
    descriptions = {name: described(run, name) for name in ("iter_2.pth", "iter_4.pth", "iter_6.pth")}
    assert [description["iteration"] for description in descriptions.values()] == [2, 4, 6]
    assert descriptions["iter_4.pth"]["metrics"] == {"iteration": 4, "scores": {"mIoU": 30.0}}
    assert descriptions["iter_6.pth"]["metrics"] == {"iteration": 6, "scores": {"mIoU": None}}
    assert described(run, "best.pth")["metrics"]["iteration"] == 4


def test_the_config_is_stored_as_data(run):
    description = described(run, "best.pth")
    assert description["config"]["optim_wrapper"]["optimizer"] == {"type": "AdamW", "lr": 0.01}
    assert description["config"]["train_cfg"]["max_iters"] == 6
    assert (description["schema"], description["seed"], description["num_processes"]) == (1, 0, 1)
    assert description["versions"]["torch"] == str(torch.__version__)
    assert description["command"].startswith("python ")


def test_run_json_is_beside_the_log(run):
    record = json.loads(Path(run.log_dir, "run.json").read_text())
    assert list(Path(run.log_dir).glob("*.log"))
    assert record["hardware"]["cpu"]
    assert (record["seed"], record["start_iteration"], record["deterministic"]) == (0, 0, False)
    assert record["data"] == described(run, "best.pth")["data"]
    assert {"command", "config_file", "git", "versions", "num_processes", "start_time"} <= record.keys()


def test_a_resumed_run_has_its_own_run_json_and_keeps_the_scores(run, tmp_path):
    hooks = [DESCRIBED, dict(type="EMAHook", momentum=0.5)]
    resume = f"{run.work_dir}/iter_4.pth"
    resumed = toy_runner(run.work_dir, 5, hooks=hooks, scores=[0] * 9, interval=50, resume=resume)
    resumed._log_dir = str(tmp_path)  # runs that start in the same second would share a folder
    resumed.train()
    assert json.loads((tmp_path / "run.json").read_text())["start_iteration"] == 4
    assert described(run, "iter_4.pth")["metrics"]["iteration"] == 4


def test_averaged_weights_are_described_and_published(run, tmp_path):
    path = Path(run.work_dir) / "iter_4.pth"
    content = read_checkpoint(path)
    assert description_of(content)["weights"] == "moving average"
    name = "layer.weight"
    assert not torch.equal(content["state_dict"][name], content["ema_state_dict"][f"module.{name}"])
    published = publish(path, tmp_path)
    assert published.is_averaged
    for file in published.paths:
        assert torch.equal(read_checkpoint(file)["state_dict"][name], content["state_dict"][name])
        assert description_of(read_checkpoint(file))["weights"] == "moving average"


@pytest.mark.slow
def test_a_run_without_average_says_so(tmp_path):
    toy_runner(tmp_path, 2, hooks=[DESCRIBED]).train()
    assert description_of(read_checkpoint(tmp_path / "iter_2.pth"))["weights"] == "as trained"
