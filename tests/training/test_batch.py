"""The batch of a run against the recipe's."""

import pytest

from semseg.config import load_config
from semseg.training import for_training
from tests.conftest import REPO

RECIPE = REPO / "configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py"


def settled(*options, path=RECIPE, launcher="none", **flags):
    """The finished config, and what it says in the log."""
    cfg = for_training(load_config(path, options, launcher=launcher), cfg_options=options, **flags)
    notes = [line for hook in cfg.custom_hooks if hook.type == "NotesHook" for line in hook.lines]
    return cfg, notes


def test_one_gpu_of_four_learns_with_a_quarter_of_the_rate_and_the_curve_keeps_its_shape():
    cfg, notes = settled()
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
def test_the_recipes_batch_keeps_the_recipes_rate(monkeypatch, flags, options, processes):
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    monkeypatch.setenv("SLURM_NTASKS", "64")  # of somebody else's allocation
    cfg, notes = settled(*options, launcher="none" if processes == 1 else "pytorch", **flags)
    assert cfg.optim_wrapper.optimizer.lr == 0.01
    assert cfg.param_scheduler[0].eta_min == 1e-4
    assert not any("learning rate" in line for line in notes)


def test_accumulation_says_what_becomes_of_the_iterations():
    cfg, notes = settled(accumulate="auto")
    assert cfg.optim_wrapper.accumulative_counts == 4
    assert notes == [
        "4 batches of 2 make an update of 8 images: 80000 iterations are 20000 updates;"
        " --cfg-options train_cfg.max_iters=320000 makes 80000"
    ]
    cfg, notes = settled(accumulate="2")
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(0.005)
    assert notes[1].startswith("learning rate 0.01 -> 0.005: batch of 4 instead of the recipe's 8")


def test_a_rate_from_the_command_line_is_taken_as_given():
    cfg, notes = settled("optim_wrapper.optimizer.lr=0.003")
    assert cfg.optim_wrapper.optimizer.lr == 0.003
    assert notes == ["learning rate 0.003 as given, for a batch of 2 (the recipe's: 8)"]


def test_a_config_may_say_its_batch_and_mmengine_does_not_scale_once_more(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f"_base_ = {str(RECIPE)!r}\n")
    cfg, notes = settled(path=path)
    assert (cfg.optim_wrapper.optimizer.lr, notes) == (0.01, [])
    path.write_text(f"_base_ = {str(RECIPE)!r}\nauto_scale_lr = dict(enable=True, base_batch_size=4)\n")
    for scale_lr, rate in ((True, 0.005), (False, 0.01)):
        cfg, _ = settled(path=path, scale_lr=scale_lr)
        assert cfg.optim_wrapper.optimizer.lr == pytest.approx(rate)
        assert cfg.auto_scale_lr.enable is False
    path.write_text(f"_base_ = {str(RECIPE)!r}\n")
    with pytest.raises(ValueError, match=r"--accumulate auto: the config does not say .* auto_scale_lr\.base_batch"):
        settled(path=path, accumulate="auto")


@pytest.mark.parametrize("wrong", ["0", "four", "-2"])
def test_accumulate_takes_a_number_or_auto(wrong):
    with pytest.raises(ValueError, match=rf"--accumulate {wrong}: expected a number of batches, 1 or more, or auto"):
        settled(accumulate=wrong)


def test_a_dry_run_is_no_run_without_checks():
    cfg, _ = settled(dry_run=True)
    assert cfg.custom_hooks[-1] == dict(type="PreflightHook", dry_run=True)
    assert "PreflightHook" not in str(settled(check=False)[0].custom_hooks)
    with pytest.raises(ValueError, match="--dry-run checks and ends, --no-check leaves the checks out"):
        settled(check=False, dry_run=True)
