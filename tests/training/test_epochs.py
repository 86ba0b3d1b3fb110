"""Recipes that are converted to count epochs."""

import pytest
from mmengine.config import Config

from semseg.config import load_config
from semseg.training import for_training
from semseg.training.epochs import batches_per_epoch
from tests.conftest import CONFIG, raises
from tests.training.asked import asked
from tests.training.test_resume_agreement import draw


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("epochs") / "data")


def by_epochs(data, epochs, *options, **more):
    return for_training(load_config(CONFIG, options, data=data), epochs=epochs, cfg_options=options, **more)


@pytest.mark.slow
def test_a_recipe_of_iterations_is_trained_by_epochs(data):
    before = load_config(CONFIG, data=data)
    assert (before.train_cfg.max_iters, before.train_cfg.val_interval) == (1000, 250)
    cfg = by_epochs(data, 40)
    batches = batches_per_epoch(before)
    assert cfg.train_cfg.to_dict() == dict(type="ResumableEpochLoop", max_epochs=40, val_interval=10)
    checkpoint = cfg.default_hooks.checkpoint
    assert (checkpoint.type, checkpoint.by_epoch, checkpoint.interval) == ("SafeCheckpointHook", True, 10)
    assert cfg.log_processor.by_epoch
    assert cfg.train_dataloader.sampler.type == "SeededEpochSampler"
    warm_up, poly = cfg.param_scheduler
    assert (warm_up.begin, warm_up.end) == (0, 50)
    assert (poly.begin, poly.end) == (50, 40 * batches) if 40 * batches > 50 else (50, 1000)


@pytest.mark.slow
def test_options_that_set_an_interval_count_epochs(data):
    cfg = by_epochs(data, 9, "train_cfg.val_interval=2", "default_hooks.checkpoint.interval=3")
    assert (cfg.train_cfg.val_interval, cfg.default_hooks.checkpoint.interval) == (2, 3)
    assert by_epochs(data, 1).train_cfg.val_interval == 1


def test_a_config_that_counts_epochs_gets_another_length(data):
    cfg = load_config(CONFIG, data=data)
    cfg.train_cfg = dict(by_epoch=True, max_epochs=12, val_interval=3)  # as MMEngine also takes it
    cfg.param_scheduler = [dict(type="PolyLR", begin=0, end=12, by_epoch=True)]
    cfg.default_hooks.checkpoint = dict(type="CheckpointHook", interval=2)
    done = for_training(cfg, epochs=20)
    assert done.train_cfg.to_dict() == dict(type="ResumableEpochLoop", max_epochs=20, val_interval=3)
    assert done.param_scheduler[0].end == 20
    assert done.default_hooks.checkpoint.interval == 2


def test_wrong_numbers_of_epochs_are_refused(data):
    with raises("E-config-range", "^`epochs` 0: .* 1 or more"):
        by_epochs(data, 0)
    with raises("E-config-conflict", "^`epochs` 3 and `cfg_options` train_cfg.max_iters "):
        by_epochs(data, 3, "train_cfg.max_iters=9")
    with raises("E-config-no-effect", "^`overfit` .* `epochs` "):
        by_epochs(data, 3, overfit=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_processes", "batch_size", "drop_last", "expected"),
    [(1, 3, False, 6), (1, 3, True, 5), (2, 3, False, 3), (4, 8, True, 1)],
)
def test_batches_of_an_epoch_are_counted_in_wrapped_sets(
    data, monkeypatch, num_processes, batch_size, drop_last, expected
):
    cfg = load_config(CONFIG, data=data)
    dataset = cfg.train_dataloader.dataset.to_dict()
    num_images = batches_per_epoch(Config(dict(train_dataloader=dict(batch_size=1, dataset=dataset))))
    repeated = dict(type="RepeatDataset", times=16 // num_images, dataset=dataset)
    cfg.train_dataloader.update(
        dataset=dict(type="RareClassDataset", dataset=repeated), batch_size=batch_size, drop_last=drop_last
    )
    cfg.launcher = "pytorch"
    monkeypatch.setenv("WORLD_SIZE", str(num_processes))
    assert batches_per_epoch(cfg) == expected


def resumable(**values):
    loader = dict(dataset=dict(type="A"), sampler=dict(type="InfiniteSampler"))
    cfg = Config(dict(train_dataloader=loader, train_cfg=dict(type="IterBasedTrainLoop", max_iters=9, val_interval=3)))
    cfg.merge_from_dict(values)
    return asked(cfg, "checkpointing", "sampling")


def test_a_run_by_iterations_saves_by_iterations():
    """MMEngine's hook counts epochs unless told otherwise, and a run by iterations has one."""
    for hooks in ({}, dict(checkpoint=dict(type="CheckpointHook", interval=1))):
        checkpoint = resumable(default_hooks=hooks).default_hooks.checkpoint
        assert (checkpoint.type, checkpoint.by_epoch, checkpoint.interval) == ("SafeCheckpointHook", False, 3)
    checkpoint = resumable(default_hooks=dict(checkpoint=dict(type="CheckpointHook", by_epoch=False, interval=1)))
    assert checkpoint.default_hooks.checkpoint.interval == 1


def test_scores_have_the_axis_of_the_losses():
    assert resumable().default_hooks.logger.log_metric_by_epoch is False
