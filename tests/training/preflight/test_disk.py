import pytest

from semseg.training.preflight.disk import check_disk
from tests.conftest import raises
from tests.training.toy_runs import toy_runner

MIB = 1 << 20


def runner_of(tmp_path, keep, **changes):
    runner = toy_runner(tmp_path, 10, interval=1, **changes)
    next(hook for hook in runner.hooks if hasattr(hook, "max_keep_ckpts")).max_keep_ckpts = keep
    runner._train_loop = runner.build_train_loop(runner.cfg.train_cfg)
    return runner


@pytest.mark.slow
def test_the_checkpoints_of_the_schedule_have_to_fit(tmp_path):
    runner = runner_of(tmp_path, 3)
    weights = sum(value.numel() * value.element_size() for value in runner.model.state_dict().values())
    need = 4 * (weights + MIB) + weights  # three, one being written, and the best, which has no optimizer
    check_disk(runner, MIB, need)
    with raises("E-config-disk", rf"need 4 MiB in {tmp_path} \(3 of 1 MiB each, .* best\)"):
        check_disk(runner, MIB, need - 1)


@pytest.mark.slow
def test_a_run_that_keeps_all_checkpoints_needs_space_for_all(tmp_path):
    runner = runner_of(tmp_path, -1)
    with raises("E-config-disk", r"need 11 MiB .* `cfg_options` .*max_keep_ckpts=1, .* `work_dir`$"):
        check_disk(runner, MIB, 5 * MIB)
    with raises("E-config-disk", r" 1 MiB are free; [^`]* `work_dir`$"):
        check_disk(runner, MIB, MIB)


def test_averaged_weights_double_the_size_and_old_checkpoints_count_as_free_space(tmp_path):
    plain, averaged = runner_of(tmp_path, 1), runner_of(tmp_path, 1, hooks=[dict(type="AveragedWeightsHook")])
    weights = sum(value.numel() * value.element_size() for value in plain.model.state_dict().values())
    check_disk(plain, 0, 3 * weights)
    with raises("E-config-disk", "need 0 MiB"):
        check_disk(averaged, 0, 6 * weights - 1)
    (tmp_path / "iter_1.pth").write_bytes(b"1")
    averaged.cfg.resume = True
    check_disk(averaged, 0, 6 * weights - 1)
