import pytest

from semseg.system.machine import num_cpus
from semseg.training.preflight.forecast import estimate_pace, format_duration, num_validations
from tests.training.toy_runs import toy_runner


def test_with_enough_workers_the_model_bounds_the_speed():
    assert estimate_pace(1.0, 0.3, 4, 2, "none") == (1.0, "the model bounds it (2 workers are enough)")
    assert estimate_pace(1.0, 0.01, 4, 1, "none").verdict == "the model bounds it (1 worker is enough)"


def test_with_too_few_workers_the_verdict_says_how_many_are_enough_and_whether_there_are_cpus_for_them():
    pace = estimate_pace(0.1, 0.1, 1000, 2, "none")
    assert pace.seconds == pytest.approx(50)
    assert pace.verdict.startswith(
        "the loader bounds it: train_dataloader.num_workers=1000 would keep up, with 1000 CPUs; this machine has"
        f" {num_cpus()}: "
    )
    pace = estimate_pace(1.0, 0.5, 1, 0, "none")  # no worker: loading and training take turns
    assert pace == (1.5, "the loader bounds it: train_dataloader.num_workers=1 would keep up")


@pytest.mark.parametrize(
    ("max_iters", "interval", "begin", "expected"), [(10, 5, 1, 2), (11, 5, 1, 3), (10, 4, 5, 2), (3, 5, 1, 1)]
)
def test_validations_are_counted_as_the_loop_will_make_them(tmp_path, max_iters, interval, begin, expected):
    runner = toy_runner(tmp_path, max_iters, interval=interval)
    runner.cfg.train_cfg.val_begin = begin
    runner._train_loop = runner.build_train_loop(runner.cfg.train_cfg)
    validated = [i for i in range(1, max_iters + 1) if i >= begin and (i % interval == 0 or i == max_iters)]
    assert num_validations(runner) == expected == len(validated)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.312, "0.31 s"), (42, "42 s"), (340, "5 min 40 s"), (66000, "18 h 20 min"), (273600, "3 d 4 h")],
)
def test_durations_are_readable(seconds, words):
    assert format_duration(seconds) == words
