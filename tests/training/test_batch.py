"""The batch of a run against the recipe's."""

import pytest

from semseg.config import load_config
from semseg.training import for_training
from tests.conftest import REPO, raises

RECIPE = REPO / "configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py"


def configured(*options, path=RECIPE, launcher="none", **flags):
    """Return the finished config, and its notes for the log."""
    cfg = for_training(load_config(path, options, launcher=launcher), cfg_options=options, **flags)
    notes = [line for hook in cfg.custom_hooks if hook.type == "NotesHook" for line in hook.lines]
    return cfg, notes


def test_one_gpu_instead_of_four_gets_a_quarter_of_the_rate_and_the_curve_keeps_its_shape():
    cfg, notes = configured()
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(0.0025)
    assert cfg.param_scheduler[0].eta_min == pytest.approx(1e-4 / 4)
    assert notes == ["learning rate 0.01 -> 0.0025: batch of 2 instead of the recipe's 8; --no-scale-lr keeps it"]


@pytest.mark.parametrize(
    ("flags", "options", "processes"),
    [
        (dict(), [], 4),
        (dict(), ["train_dataloader.batch_size=8"], 1),
        (dict(scale_lr=False), [], 1),
        (dict(accumulate="auto"), [], 1),
        (dict(accumulate="2"), ["train_dataloader.batch_size=4"], 1),
        (dict(), ["optim_wrapper.accumulative_counts=4"], 1),
    ],
)
def test_the_batch_of_the_recipe_keeps_the_rate_of_the_recipe(monkeypatch, flags, options, processes):
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    monkeypatch.setenv("SLURM_NTASKS", "64")  # of another allocation
    cfg, notes = configured(*options, launcher="none" if processes == 1 else "pytorch", **flags)
    assert cfg.optim_wrapper.optimizer.lr == 0.01
    assert cfg.param_scheduler[0].eta_min == 1e-4
    assert not any("learning rate" in line for line in notes)


def test_accumulation_logs_how_many_updates_the_run_makes():
    cfg, notes = configured(accumulate="auto")
    assert cfg.optim_wrapper.accumulative_counts == 4
    assert notes == [
        "4 batches of 2 make an update of 8 images: 80000 iterations are 20000 updates;"
        " --cfg-options train_cfg.max_iters=320000 makes 80000"
    ]
    cfg, notes = configured(accumulate="2")
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(0.005)
    assert notes[1].startswith("learning rate 0.01 -> 0.005: batch of 4 instead of the recipe's 8")


def test_a_rate_from_the_command_line_is_not_scaled():
    cfg, notes = configured("optim_wrapper.optimizer.lr=0.003")
    assert cfg.optim_wrapper.optimizer.lr == 0.003
    assert notes == ["learning rate 0.003 as given, for a batch of 2 (the recipe's: 8)"]


def test_a_config_may_set_its_base_batch_size_and_mmengine_does_not_scale_again(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f"_base_ = {str(RECIPE)!r}\n")
    cfg, notes = configured(path=path)
    assert (cfg.optim_wrapper.optimizer.lr, notes) == (0.01, [])
    path.write_text(f"_base_ = {str(RECIPE)!r}\nauto_scale_lr = dict(enable=True, base_batch_size=4)\n")
    for scale_lr, rate in ((True, 0.005), (False, 0.01)):
        cfg, _ = configured(path=path, scale_lr=scale_lr)
        assert cfg.optim_wrapper.optimizer.lr == pytest.approx(rate)
        assert cfg.auto_scale_lr.enable is False
    path.write_text(f"_base_ = {str(RECIPE)!r}\n")
    with raises("E-config-missing-key", r"^`accumulate` auto: .* auto_scale_lr\.base_batch_size"):
        configured(path=path, accumulate="auto")


@pytest.mark.parametrize("wrong", ["0", "four", "-2"])
def test_accumulate_takes_a_number_or_auto(wrong):
    with raises("E-config-range", rf"^`accumulate` {wrong}: .* 1 or more, or auto"):
        configured(accumulate=wrong)


def test_a_dry_run_needs_the_checks():
    cfg, _ = configured(dry_run=True)
    assert cfg.custom_hooks[-1] == dict(type="PreflightHook", dry_run=True)
    assert "PreflightHook" not in str(configured(check=False)[0].custom_hooks)
    with raises("E-config-conflict", "`dry_run` .* `check`"):
        configured(check=False, dry_run=True)
