"""The trial before the first iteration."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmseg.registry import HOOKS, METRICS, TRANSFORMS

from semseg.system.stopping import Stopped
from tests.conftest import raises
from tests.training.runs import build


@pytest.fixture(autouse=True)
def in_town(town, monkeypatch):
    monkeypatch.chdir(town)


def log_of(runner):
    return Path(runner.log_dir, f"{runner.timestamp}.log").read_text()


def end_of(runner):
    """Train, and return weights, buffers, optimizer, schedule and random state as bytes, and the sizes of records."""
    runner.train()
    state = {name: tensor.numpy().tobytes() for name, tensor in runner.model.state_dict().items()}
    for number, values in enumerate(runner.optim_wrapper.optimizer.state.values()):
        state |= {f"{number}.{name}": torch.as_tensor(value).numpy().tobytes() for name, value in values.items()}
    state["rates"] = [group["lr"] for group in runner.optim_wrapper.param_groups]
    state["random"] = torch.get_rng_state().numpy().tobytes()
    state["records"] = {name: len(record.data[0]) for name, record in runner.message_hub.log_scalars.items()}
    return state


@pytest.mark.slow
def test_a_run_is_the_same_bit_for_bit_with_it_and_without(tmp_path):
    optimizer = ["optim_wrapper.optimizer.type=SGD", "optim_wrapper.optimizer.momentum=0.9"]
    others = ["optim_wrapper.accumulative_counts=2", "optim_wrapper.clip_grad.max_norm=1"]
    ends = {}
    for check in (True, False):
        runner = build(tmp_path / str(check), *optimizer, *others, "model.decode_head.dropout_ratio=0.5", check=check)
        ends[check] = end_of(runner)
        assert ("preflight: training step" in log_of(runner)) == check
    assert ends[True] == ends[False]


@pytest.mark.slow
def test_a_resumed_run_is_the_same_bit_for_bit_too(tmp_path):
    options = ["default_hooks.checkpoint.interval=2"]
    whole = end_of(build(tmp_path, *options, check=False))
    resumed = build(tmp_path, *options, resume=str(tmp_path / "iter_2.pth"))
    ended = end_of(resumed)
    assert "preflight: about" in log_of(resumed)
    assert {key: ended[key] for key in ended if key != "records"} == {
        key: whole[key] for key in ended if key != "records"
    }


@pytest.mark.slow
def test_it_logs_time_and_memory_and_a_dry_run_ends_there(tmp_path):
    runner = build(tmp_path, "train_cfg.max_iters=1000", dry_run=True)
    with pytest.raises(Stopped, match="dry run: nothing stands in the way; the log is in") as caught:
        runner.train()
    assert caught.value.exit_code == 0
    assert runner.iter == 0
    assert not list(tmp_path.glob("*.pth"))
    steps, whole = (line.partition("INFO - ")[2] for line in log_of(runner).splitlines() if "preflight" in line)
    assert re.fullmatch(
        r"preflight: training step \S+ s, \d+ MiB; validation of data/toycity/…/\S+\.png \(256x128\) \S+ s, \d+ MiB",
        steps,
    )
    assert re.fullmatch(r"preflight: about .+ in all; the (model|loader) bounds it.*; this took \S+ s", whole)


@pytest.mark.slow
def test_a_part_without_gradient_is_named(tmp_path):
    stages = ["num_stages=4", "strides=(1,2,1,1)", "dilations=(1,1,1,1)"]
    runner = build(tmp_path, *(f"model.backbone.{option}" for option in stages), dry_run=True)
    with pytest.raises(Stopped):
        runner.train()
    assert "no gradient reaches backbone.layer4 (15 parameters): it stays as it is" in log_of(runner)


@pytest.mark.slow
def test_an_error_of_the_pipeline_is_raised_unchanged(tmp_path):
    def add_fault(cfg):
        cfg.train_dataloader.dataset.dataset.pipeline.insert(0, dict(type="FaultyTransform"))

    runner = build(tmp_path, change=add_fault)
    with pytest.raises(ValueError, match="the pipeline has met its fault"):
        runner.train()


@TRANSFORMS.register_module()
class FaultyTransform:
    def __call__(self, results):
        raise ValueError("the pipeline has met its fault")


@HOOKS.register_module()
class UnpreparedHook(Hook):
    """A hook of a user that fails when a validation begins."""

    is_tried = True

    def before_val_epoch(self, runner):
        raise ValueError("no folder for the pictures of a validation")


@METRICS.register_module()
class UnableMetric(BaseMetric):
    """A metric of a user that fails at the first prediction."""

    def process(self, data_batch, data_samples):
        raise KeyError("boundary_map")

    def compute_metrics(self, results):
        return {}


@pytest.mark.slow
def test_a_fault_of_the_first_validation_shows_before_the_first_iteration(tmp_path):
    runner = build(tmp_path, change=lambda cfg: cfg.custom_hooks.append(dict(type="UnpreparedHook")))
    with pytest.raises(ValueError, match="no folder for the pictures of a validation"):
        runner.train()
    assert runner.iter == 0
    runner = build(tmp_path / "metric", change=lambda cfg: setattr(cfg, "val_evaluator", dict(type="UnableMetric")))
    with pytest.raises(KeyError, match="boundary_map"):
        runner.train()
    assert runner.iter == 0


@pytest.mark.slow
@pytest.mark.parametrize(("drop_last", "fails"), [(False, True), (True, False)])
def test_an_epoch_that_ends_with_one_image_fails_before_the_first_iteration(tmp_path, drop_last, fails):
    def leave_three(cfg):
        cfg.train_dataloader.update(drop_last=drop_last, batch_size=2)
        cfg.train_dataloader.dataset.dataset.indices = 3

    runner = build(tmp_path, epochs=1, dry_run=True, change=leave_three)
    refused = raises("E-config-last-batch", r" 1 image, .* `cfg_options` train_dataloader\.drop_last=True")
    with refused if fails else pytest.raises(Stopped):
        runner.train()
