import pytest

from semseg.errors import InvalidInputError
from semseg.planning import schedule_rules
from tests.planning.figures import CPU, GPU, PLAIN, TRIAL, with_figures


def test_a_batch_sees_at_most_a_twentieth_of_the_set_and_has_two_crops_at_least():
    few = with_figures(num_pictures={"train": 30})
    assert schedule_rules.choose_batch(PLAIN, (320, 320), (480, 360), CPU).value == 4
    assert schedule_rules.choose_batch(PLAIN, (512, 512), (1024, 1024), GPU).value == 8
    assert schedule_rules.choose_batch(few, (320, 320), (480, 360), CPU).value == 2
    assert schedule_rules.choose_batch(with_figures(num_pictures={"train": 2}), (320, 320), (480, 360), CPU).value == 2


def test_a_batch_that_needs_too_much_memory_is_made_smaller():
    batch = schedule_rules.choose_batch(PLAIN, (320, 320), (480, 360), CPU)
    assert schedule_rules.fit_batch(batch, TRIAL, CPU).value == 4
    assert schedule_rules.fit_batch(batch, TRIAL._replace(step_bytes=8 << 30), CPU).value == 2
    with pytest.raises(InvalidInputError, match="does not fit either"):
        schedule_rules.fit_batch(batch, TRIAL._replace(step_bytes=40 << 30), CPU)


def test_validations_take_a_tenth_of_the_time_at_most():
    assert schedule_rules.choose_validations(60, 20, TRIAL).value == 8
    assert schedule_rules.choose_validations(600, 20, TRIAL).value == 4
    assert schedule_rules.choose_validations(60_000, 20, TRIAL).value == 2


def test_iterations_fill_the_time_that_start_and_validations_leave():
    choice = schedule_rules.choose_iterations(20, 8, 60, TRIAL, 4)  # 1200 s - 10 s - 24 s, 0.5 s a step
    assert choice.value == 2320
    assert schedule_rules.choose_iterations(20, 8, 60, TRIAL, 2).value == 4640
    with pytest.raises(InvalidInputError, match=r"give 1 minutes or more"):
        schedule_rules.choose_iterations(0.5, 2, 60, TRIAL, 4)


def test_the_rate_grows_with_the_root_of_the_batch_up_to_a_limit():
    assert [schedule_rules.choose_rate(batch).value for batch in (2, 4, 8, 16, 64)] == [
        0.0035,
        0.005,
        0.0071,
        0.01,
        0.01,
    ]


def test_the_weight_decay_is_stronger_in_long_runs():
    assert [schedule_rules.choose_decay(passes).value for passes in (29, 30)] == [0.01, 0.05]


def test_workers_keep_up_with_the_steps_as_far_as_there_are_cpus():
    assert schedule_rules.choose_workers(TRIAL, 4, CPU).value == 1
    assert schedule_rules.choose_workers(TRIAL._replace(sample_s=0.3), 4, CPU).value == 2
    assert schedule_rules.choose_workers(TRIAL._replace(sample_s=0.3), 4, GPU).value == 3


def test_folds_are_suggested_for_small_sets():
    assert schedule_rules.choose_folds(PLAIN, 60, "plan.py").value == 1
    assert schedule_rules.choose_folds(with_figures(num_pictures={"train": 50}), 60, "plan.py").value == 5
    assert schedule_rules.choose_folds(with_figures(num_groups=3), 10, "plan.py").value == 3
    assert schedule_rules.choose_folds(with_figures(num_groups=1), 10, "plan.py").value == 1
