"""Runs by epochs are resumed as exactly as runs by iterations."""

import os
import signal
from pathlib import Path

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import DATASETS
from torch.utils.data import DataLoader

from semseg import compat
from semseg.config.schedule import counts_epochs
from semseg.datasets.seeded import SeededDataset
from semseg.system.stopping import Stopped
from semseg.training.epochs import SeededEpochSampler
from tests.conftest import raises
from tests.datasets.test_seeded import Dice
from tests.training.asked import asked
from tests.training.toy_runs import ToyPoints, log_of, scalars_of, toy_config

SCHEDULE = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=4, by_epoch=False),
    dict(type="StepLR", step_size=1, gamma=0.5, by_epoch=True),
]


@DATASETS.register_module()
class NoisyPoints(ToyPoints):
    """Points with random noise, as an augmentation adds: eight, so that the last batch of an epoch is short."""

    metainfo = dict(classes=("a",))

    def __len__(self):
        return 8

    def __getitem__(self, index):
        sample = super().__getitem__(index)
        return sample | dict(inputs=sample["inputs"] + torch.randn(4))


class SignalHook(Hook):
    """Send SIGTERM in one iteration of a run."""

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter + 1 == self.iteration:
            os.kill(os.getpid(), signal.SIGTERM)


def epoch_config(work_dir, epochs=3, *, batch_size=3, sampler="DefaultSampler", **more):
    """Return the config of a toy run by epochs of three batches, as a user of MMEngine writes it."""
    cfg = toy_config(work_dir, schedule=SCHEDULE, hooks=[dict(type=name) for name in HOOKS], **more)
    cfg.train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=epochs, val_interval=1)
    cfg.train_dataloader.update(
        batch_size=batch_size, dataset=dict(type="NoisyPoints"), sampler=dict(type=sampler, shuffle=True)
    )
    cfg.default_hooks.checkpoint = dict(type="CheckpointHook", interval=1, rule="less")
    cfg.default_hooks.logger = dict(type="LoggerHook", interval=1)
    return asked(cfg, "epochs", "checkpointing", "sampling", "stopping")


HOOKS = ["ContinuationHook", "OneCurveHook"]


def trained(*args, stop=None, **kwargs):
    runner = Runner.from_cfg(epoch_config(*args, **kwargs))
    if stop is not None:
        runner.register_hook(SignalHook(stop))
    try:
        runner.train()
    except Stopped as stopped:
        assert stop is not None and stopped.exit_code == 143
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return runner


def curves(work_dir):
    """Return the loss, learning rate and score of each iteration."""
    entries = scalars_of(Path(work_dir))
    losses = [(entry["step"], entry["loss"], entry["lr"]) for entry in entries if "loss" in entry]
    return losses, [(entry["step"], entry["mIoU"]) for entry in entries if "mIoU" in entry]


def weights(path):
    return compat.load_checkpoint_file(path)["state_dict"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("whole"))


def test_a_run_by_epochs_saves_a_checkpoint_for_each_epoch_and_the_best(whole):
    names = {path.name for path in Path(whole.work_dir).glob("*.pth")}
    best = Path(whole.work_dir, "best.pth").resolve().name
    assert names == {"epoch_1.pth", "epoch_2.pth", "epoch_3.pth", "last.pth", "best.pth", best}
    assert best.startswith("best_mIoU_epoch_")
    assert Path(whole.work_dir, "last.pth").resolve().name == "epoch_3.pth"
    meta = compat.load_checkpoint_file(f"{whole.work_dir}/epoch_2.pth")["meta"]
    assert (meta["epoch"], meta["iter"]) == (2, 6)
    losses, scores = curves(whole.work_dir)
    assert [step for step, *_ in losses] == list(range(1, 10))
    assert [step for step, _ in scores] == [3, 6, 9]  # on the same axis as the losses


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop", "saved"), [(1, "epoch_0_iter_1.pth"), (5, "epoch_1_iter_5.pth"), (6, "epoch_1_iter_6.pth")]
)
def test_a_run_that_is_stopped_within_an_epoch_continues_exactly(whole, tmp_path, stop, saved):
    trained(tmp_path, stop=stop)
    assert Path(tmp_path, "last.pth").resolve().name == saved
    trained(tmp_path, resume=tmp_path / saved)
    assert curves(tmp_path) == curves(whole.work_dir)
    expected, found = (weights(f"{folder}/epoch_3.pth") for folder in (whole.work_dir, tmp_path))
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_run_that_is_resumed_between_two_epochs_continues_exactly(whole, tmp_path):
    resumed = trained(tmp_path, resume=f"{whole.work_dir}/epoch_2.pth")
    losses, scores = curves(whole.work_dir)
    assert curves(tmp_path) == (losses[6:], scores[2:])
    assert "validating now" not in log_of(resumed)


def test_a_validation_that_was_killed_is_repeated(whole, tmp_path):
    content = compat.load_checkpoint_file(f"{whole.work_dir}/epoch_2.pth")
    content["message_hub"]["runtime_info"]["last_validation"] = 3
    torch.save(content, tmp_path / "epoch_2.pth")
    resumed = trained(tmp_path, resume=tmp_path / "epoch_2.pth")
    assert "iteration 6 was not validated before the run ended: validating now" in log_of(resumed)
    assert curves(tmp_path)[1] == curves(whole.work_dir)[1][1:]


@pytest.mark.slow
def test_more_epochs_follow_the_longer_schedule(whole, tmp_path):
    longer = trained(tmp_path / "longer", 5)
    resumed = trained(tmp_path / "resumed", 5, resume=f"{whole.work_dir}/epoch_3.pth")
    assert curves(tmp_path / "resumed")[0] == curves(longer.work_dir)[0][9:]
    assert "schedule extended from 3 to 5 epochs" in log_of(resumed)
    with raises("E-config-resume-length", r"max_epochs is 2, but epoch_3.pth is at epoch 3 already; .*max_epochs=3"):
        trained(tmp_path, 2, resume=f"{whole.work_dir}/epoch_3.pth")


def test_a_run_with_another_number_of_batches_per_epoch_continues_at_the_same_epoch(whole, tmp_path):
    resumed = trained(tmp_path, batch_size=2, resume=f"{whole.work_dir}/epoch_2.pth")
    warning = "an epoch has 4 iterations now, 3 before: continues in epoch 3, at iteration 8 instead of 6"
    assert warning in log_of(resumed)
    assert [step for step, *_ in curves(tmp_path)[0]] == [9, 10, 11, 12]


@pytest.mark.slow
def test_the_infinite_sampler_is_replaced_in_a_run_by_epochs(whole, tmp_path):
    cfg = epoch_config(tmp_path, sampler="InfiniteSampler")
    (notes,) = [hook for hook in cfg.custom_hooks if hook.type == "NotesHook"]
    assert "DefaultSampler takes the place of InfiniteSampler" in notes.lines[0]
    Runner.from_cfg(cfg).train()
    assert curves(tmp_path) == curves(whole.work_dir)


def test_a_custom_sampler_is_advanced_by_loading_batches(whole, tmp_path):
    cfg = epoch_config(tmp_path, resume=f"{whole.work_dir}/epoch_2.pth")
    assert cfg.train_dataloader.sampler.type == "SeededEpochSampler"
    runner = Runner.from_cfg(cfg)
    runner.train_dataloader.sampler.__class__ = DefaultSampler
    loop = runner.train_loop
    whole_epoch = [len(batch["inputs"]) for batch in loop._batches_after(0)]
    assert whole_epoch == [3, 3, 2]
    assert [len(batch["inputs"]) for batch in loop._batches_after(2)] == [2]
    assert "the sampler DefaultSampler cannot start in its middle: 2 batches" in log_of(runner)


def test_indices_are_those_of_the_default_sampler_and_random_numbers_depend_on_the_position():
    dataset = SeededDataset(Dice())

    def take(epoch, skip=0, **kwargs):
        sampler = SeededEpochSampler(dataset, seed=3)
        sampler.set_epoch(epoch)
        sampler.skip(skip)
        return list(DataLoader(dataset, sampler=sampler, batch_size=None, **kwargs))

    stock = DefaultSampler(Dice(), seed=3)
    for epoch in (0, 1):
        stock.set_epoch(epoch)
        assert [sample[0] for sample in take(epoch)] == list(stock)
    assert len({sample[1] for epoch in (0, 1) for sample in take(epoch)}) == 10
    assert take(1, num_workers=2) == take(1)
    assert take(1, skip=3, num_workers=1) == take(1)[3:]


@pytest.mark.slow
def test_a_scheduler_that_does_not_count_as_the_run_does_is_warned_about(tmp_path):
    schedule = [dict(type="StepLR", step_size=1, by_epoch=True)]
    cfg = toy_config(tmp_path, 2, schedule=schedule, hooks=[dict(type="ContinuationHook")])
    assert not counts_epochs(cfg)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert "param_scheduler.0 (StepLR) counts epochs, and this run does not: it has no effect" in log_of(runner)
    cfg = epoch_config(tmp_path / "long", 1)
    cfg.param_scheduler[0].end = 80000
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert "param_scheduler.0 (LinearLR) ends at iteration 80000, after the run's end at iteration 3" in log_of(runner)
