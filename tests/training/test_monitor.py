import math
import re

import pytest
import torch
import torch.multiprocessing
import torch.nn.functional as F
from mmengine.hooks import Hook

from semseg import compat
from semseg.system.stopping import Stopped
from semseg.training.checkpointing import SafeCheckpointHook
from semseg.training.monitor import extending_command, rising_text
from semseg.training.val_loss import CrossEntropyMetric
from tests.conftest import raises
from tests.training.toy_runs import ToyModel, log_of, toy_runner

RISING = [10, 20, 30, 40, 50, 60]


def monitored(patience=None, **more):
    return [dict(type="MonitorHook", patience=patience, **more)]


def trained(*args, **kwargs):
    runner = toy_runner(*args, **kwargs)
    runner.train()
    return runner


@pytest.fixture(scope="module")
def stagnant(tmp_path_factory):
    """A run whose score is best at iteration 4, and no better at 6 and 8."""
    return trained(tmp_path_factory.mktemp("stagnant"), 20, hooks=monitored(2), scores=[10, 20, 20, 15, 30])


def test_a_run_stops_when_its_score_stagnates(stagnant):
    assert stagnant.iter == 8
    (line,) = [line for line in log_of(stagnant).splitlines() if "stopped at" in line]
    expected = r"stopped at iteration 8 of 20: mIoU has not exceeded 20 \(iteration 4\) in 2 validations; best"
    assert re.search(expected + r" checkpoint: \S+/best_mIoU_iter_4\.pth$", line)


def test_a_resumed_run_continues_to_count(stagnant):
    resumed = trained(
        stagnant.work_dir, 20, hooks=monitored(2), scores=[0, 0, 0, 15, 30], resume=f"{stagnant.work_dir}/iter_6.pth"
    )
    assert resumed.iter == 8
    assert "(iteration 4) in 2 validations" in log_of(resumed)


def test_a_stopped_run_continues_with_more_patience(stagnant):
    scores = [0, 0, 0, 0, 19, 18, 17]
    resumed = trained(
        stagnant.work_dir, 20, hooks=monitored(4), scores=scores, resume=f"{stagnant.work_dir}/iter_8.pth"
    )
    assert resumed.iter == 12
    assert "20 (iteration 4) in 4 validations" in log_of(resumed)


def test_the_best_of_another_score_does_not_count(stagnant):
    hooks = monitored(1, monitor="val/loss", rule="less")
    evaluator = dict(type="ScriptedMetric", scores=[0, 0, 0, 50, 60], name="val/loss", every=2)
    checkpoint = dict(save_best="val/loss", rule="less")
    resumed = toy_runner(
        stagnant.work_dir,
        20,
        hooks=hooks,
        resume=f"{stagnant.work_dir}/iter_6.pth",
        val_evaluator=evaluator,
        default_hooks=dict(checkpoint=checkpoint),
    )
    resumed.train()
    assert "monitor is val/loss, it was mIoU: " in log_of(resumed)
    assert re.search(r"val/loss has not fallen below 50 \(iteration 8\) .*best_val_loss_iter_8.pth", log_of(resumed))


def test_a_checkpoint_is_saved_where_the_run_stops(tmp_path):
    checkpoint = dict(interval=100)
    runner = toy_runner(tmp_path, 20, hooks=monitored(1), scores=[20, 10], default_hooks=dict(checkpoint=checkpoint))
    runner.train()
    assert (tmp_path / "iter_4.pth").is_file()


def test_a_score_of_nan_does_not_count_as_a_new_best(tmp_path):
    runner = trained(tmp_path, 20, hooks=monitored(2), scores=[math.nan, 20, math.nan, math.nan])
    assert runner.iter == 8
    assert "mIoU is nan: it does not count as a new best" in log_of(runner)


def test_an_unknown_score_is_named(tmp_path):
    runner = toy_runner(tmp_path, hooks=monitored(monitor="mDice"), scores=RISING)
    with raises("E-config-metric", "^`monitor` mDice: .* mIoU$"):
        runner.train()


def test_a_run_whose_score_still_rises_logs_how_to_extend_it(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["tools/train.py", "a.py", "--work-dir", "x y"])
    runner = trained(tmp_path, 6, hooks=monitored(), scores=RISING)
    line = (
        "mIoU rose by 20.0 points over the last third of the validations: to continue the run: tools/train.py a.py"
        " --work-dir 'x y' --resume --cfg-options train_cfg.max_iters=9"
    )
    assert line in log_of(runner)


@pytest.mark.parametrize(
    ("scores", "rule", "text"),
    [
        ([40, 50, 60, 65, 66, 67.3], "greater", "rose by 2.3 points"),
        ([0.9, 0.8, 0.7, 0.6], "less", "fell by 0.2 "),
        ([50, 60], "greater", ""),  # too few
        ([60, 61, 62, 63, 64, 63.9], "greater", ""),  # the last is not the best
        ([60, 70, 70.1, 70.2, 70.3], "greater", ""),  # less than 1 % of the score
        ([60, 61, 65, 60, 66, 61, 66.5], "greater", ""),  # scatter
        ([0.6, 0.7, 0.8], "less", ""),
        ([math.nan, 60, 70, 80], "greater", ""),
    ],
)
def test_a_curve_rises_when_its_end_is_its_best_and_beats_its_scatter(scores, rule, text):
    logged = rising_text("mIoU" if rule == "greater" else "val/loss", scores, rule)
    assert text in logged
    assert bool(text) == bool(logged)


@pytest.mark.parametrize(
    ("arguments", "num_processes", "command"),
    [
        ("a.py --seed 1", 1, "train.py a.py --seed 1 --resume --cfg-options train_cfg.max_iters=9"),
        ("a.py --resume b.pth", 1, "train.py a.py --resume --cfg-options train_cfg.max_iters=9"),
        ("a.py --resume --amp", 1, "train.py a.py --amp --resume --cfg-options train_cfg.max_iters=9"),
        ("a.py --load-from b.pth", 1, "train.py a.py --resume --cfg-options train_cfg.max_iters=9"),
        (
            "a.py --cfg-options x=1 train_cfg.max_iters=6 y=2 --amp",
            1,
            "train.py a.py --resume --cfg-options train_cfg.max_iters=9 x=1 y=2 --amp",
        ),
        ("a.py --launcher pytorch", 2, "dist_train.sh a.py 2 --resume --cfg-options train_cfg.max_iters=9"),
    ],
)
def test_the_extending_command_keeps_the_arguments_of_the_run(arguments, num_processes, command):
    argv = ["tools/train.py", *arguments.split()]
    assert extending_command(argv, 9, num_processes) == f"tools/{command}"


def samples_of(*sizes, num_classes=3):
    torch.manual_seed(0)
    for height, width in sizes:
        target = torch.randint(0, 4, (1, height, width))
        target[target == 3] = 255
        yield dict(seg_logits=dict(data=torch.randn(num_classes, height, width)), gt_sem_seg=dict(data=target))


def test_val_loss_is_the_mean_over_the_labelled_pixels_of_all_images():
    samples, metric = list(samples_of((300, 5), (2, 4), (7, 7))), CrossEntropyMetric()
    for sample in samples:
        metric.process({}, [sample])
    logits = torch.cat([sample["seg_logits"]["data"].flatten(1) for sample in samples], dim=1)
    target = torch.cat([sample["gt_sem_seg"]["data"].flatten() for sample in samples])
    expected = F.cross_entropy(logits.T.double(), target, ignore_index=255)
    assert metric.evaluate(size=3) == {"val/loss": pytest.approx(float(expected), rel=1e-6)}


def test_val_loss_of_one_output_is_the_binary_cross_entropy():
    (sample,) = samples_of((4, 4), num_classes=1)
    target = sample["gt_sem_seg"]["data"] % 2
    probability = sample["seg_logits"]["data"].sigmoid()
    metric = CrossEntropyMetric()
    metric.process({}, [dict(seg_logits=dict(data=probability), gt_sem_seg=dict(data=target))])
    expected = F.binary_cross_entropy(probability, target.float())
    assert metric.evaluate(size=1)["val/loss"] == pytest.approx(float(expected), rel=1e-5)


def _evaluate_share(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    metric = CrossEntropyMetric()
    for sample in list(samples_of((9, 9), (5, 5), (8, 3)))[rank::2] + rank * list(samples_of((9, 9))):  # padded
        metric.process({}, [sample])
    torch.save(metric.evaluate(size=3), folder / f"{rank}.pt")


def test_two_processes_compute_the_same_loss_as_one(tmp_path):
    metric = CrossEntropyMetric()
    for sample in samples_of((9, 9), (5, 5), (8, 3)):
        metric.process({}, [sample])
    alone = metric.evaluate(size=3)
    torch.multiprocessing.start_processes(_evaluate_share, args=(tmp_path,), nprocs=2, start_method="fork")
    assert [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)] == [alone, alone]


AVERAGED = [dict(type="AveragedWeightsHook"), dict(type="MonitorHook", rule="less")]


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("averaged"), 6, hooks=AVERAGED)


def assert_same_weights(path, other):
    content, expected = compat.load_checkpoint_file(path), compat.load_checkpoint_file(other)
    for key in ("state_dict", "ema_state_dict"):
        assert content[key].keys() == expected[key].keys()
        for name, value in expected[key].items():
            assert torch.equal(content[key][name], value), (key, name)


def test_the_saved_weights_are_those_that_were_validated(averaged):
    content = compat.load_checkpoint_file(f"{averaged.work_dir}/iter_6.pth")
    assert not torch.equal(content["state_dict"]["layer.weight"], content["ema_state_dict"]["module.layer.weight"])
    model = ToyModel()
    model.load_state_dict(content["state_dict"])
    errors = []
    with torch.no_grad():
        for batch in averaged.val_dataloader:
            errors += model.eval()(**batch, mode="predict")
    (_, last) = content["message_hub"]["runtime_info"]["monitored"]["scores"][-1]
    assert last == pytest.approx(sum(errors) / len(errors), rel=1e-6)
    assert log_of(averaged).count("EMA: the weights that are validated, saved and tested are averaged") == 1


def test_a_config_that_trained_an_average_tests_it_and_loads_no_training_set(averaged, tmp_path):
    more = dict(
        load_from=f"{averaged.work_dir}/iter_6.pth",
        test_dataloader=averaged.cfg.val_dataloader,
        test_cfg=dict(type="TestLoop"),
        test_evaluator=averaged.cfg.val_evaluator,
        train_dataloader=dict(dataset=dict(type="no such set")),
    )
    tester = toy_runner(tmp_path, hooks=AVERAGED, **more)
    tester.message_hub.update_info("iter", 0)
    (_, last) = averaged.message_hub.get_info("monitored")["scores"][-1]
    assert tester.test() == {"mIoU": pytest.approx(last)}


def test_the_average_looks_back_over_a_sixteenth_of_the_run(averaged):
    (hook,) = [hook for hook in averaged.hooks if type(hook).__name__ == "AveragedWeightsHook"]
    assert hook.ema_model.steps == 6
    assert averaged.message_hub.get_scalar("val/ema_momentum").current() == pytest.approx(16 / 22)


def test_a_resumed_average_is_that_of_an_uninterrupted_run(averaged, tmp_path):
    trained(tmp_path, 6, hooks=AVERAGED, resume=f"{averaged.work_dir}/iter_4.pth")
    assert_same_weights(tmp_path / "iter_6.pth", f"{averaged.work_dir}/iter_6.pth")


class SaveInValidationHook(Hook):
    """Save and stop in the second validation, as at a signal."""

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 4:
            (saving,) = [hook for hook in runner.hooks if isinstance(hook, SafeCheckpointHook)]
            saving.save(runner, runner.iter)
            raise Stopped("in a validation", 143)


def test_an_average_that_was_saved_in_a_validation_is_the_same(averaged, tmp_path):
    runner = toy_runner(tmp_path, 6, hooks=AVERAGED)
    runner.register_hook(SaveInValidationHook())
    with pytest.raises(Stopped):
        runner.train()
    assert_same_weights(tmp_path / "iter_4.pth", f"{averaged.work_dir}/iter_4.pth")
    trained(tmp_path, 6, hooks=AVERAGED, resume=tmp_path / "iter_4.pth")
    assert_same_weights(tmp_path / "iter_6.pth", f"{averaged.work_dir}/iter_6.pth")
