import math
import os
import re
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmseg.registry import HOOKS, OPTIM_WRAPPERS
from PIL import Image

from semseg import compat
from semseg.system import atomic
from semseg.system.stopping import Stopped
from tests.training.squares import MODEL
from tests.training.toy_runs import log_of, toy_runner


@HOOKS.register_module()
class BreakGradients(Hook):
    """Make the gradient of one weight infinite in iteration `at`, counted from 1."""

    def __init__(self, at):
        self.at = at

    def before_train(self, runner):
        bias = runner.model.decode_head.conv_seg.bias
        bias.register_hook(lambda grad: grad * torch.inf if runner.iter + 1 == self.at else grad)


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(AmpOptimWrapper):
    """MMEngine's, which refuses CPUs; the losses are scaled, and nothing is float16."""

    def __init__(self, init_scale, **kwargs):
        OptimWrapper.__init__(self, **kwargs)
        self.loss_scaler = torch.amp.GradScaler("cpu", init_scale=init_scale)
        self._scale_update_param, self.cast_dtype = None, torch.bfloat16


def runner_on(work_dir, max_iters=6, *, hooks=(dict(type="GuardHook", warn_after_iters=3),), **changes):
    dataset = dict(type="Squares", **changes.pop("dataset", {}))
    model = dict(MODEL, **changes.pop("model", {}))
    loader = dict(dataset=dataset, sampler=dict(shuffle=False))
    changes = dict(changes, model=model, train_dataloader=loader)
    changes.update(val_dataloader=None, val_cfg=None, val_evaluator=None)
    return toy_runner(work_dir, max_iters, hooks=hooks, interval=100, **changes)


def weights_after(num_iters, work_dir, **changes):
    runner = runner_on(work_dir, num_iters, **changes)
    runner.train()
    return runner.model.state_dict()


def assert_same(state, expected):
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(state[name], value), name


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """Return a run whose third batch has a picture that is infinite everywhere, and the exception that ended it."""
    runner = runner_on(tmp_path_factory.mktemp("broken"), dataset=dict(broken=5))
    with pytest.raises(Stopped) as stopped:
        runner.train()
    return runner, stopped.value


def test_a_loss_of_nan_ends_the_run_with_one_sentence(broken):
    runner, stopped = broken
    assert stopped.exit_code == 3
    work_dir = re.escape(str(runner.work_dir))
    assert re.fullmatch(
        r"decode\.loss_ce is nan at iteration 3 \(learning rate 0\.01, 25% of the pixels ignored\): the batch lies in"
        rf" {work_dir}/nonfinite_iter_3_rank_0, the state before it is {work_dir}/before_nonfinite_iter_3\.pth: lower"
        r" the learning rate, or look at the batch",
        str(stopped),
    )


@pytest.mark.slow
def test_the_saved_state_is_that_after_the_last_good_iteration(broken, tmp_path):
    runner, _ = broken
    saved = compat.load_checkpoint_file(Path(runner.work_dir, "before_nonfinite_iter_3.pth"))
    assert saved["meta"]["iter"] == 2
    assert_same(saved["state_dict"], weights_after(2, tmp_path, hooks=()))  # running statistics among them
    uninterrupted = weights_after(4, tmp_path / "four", hooks=())
    resumed = runner_on(tmp_path / "resumed", 4, resume=f"{runner.work_dir}/before_nonfinite_iter_3.pth")
    resumed.train()  # on the data without the broken picture
    assert_same(resumed.model.state_dict(), uninterrupted)


def test_the_batch_is_saved(broken):
    folder = Path(broken[0].work_dir, "nonfinite_iter_3_rank_0")
    batch = torch.load(folder / "batch.pt", weights_only=True)
    assert batch["inputs"].shape == (2, 3, 16, 16)
    assert batch["targets"].shape == (2, 16, 16)
    assert batch["images"] == ["images/4.png", "images/5.png"]
    assert math.isnan(batch["losses"]["loss"])
    assert batch["learning_rate"] == 0.01
    lines = (folder / "files.txt").read_text().splitlines()
    assert lines[0].startswith("decode.loss_ce is nan at iteration 3")
    assert re.fullmatch(r"25\.0%\t\d to 25\d\timages/4\.png\tmasks/4\.png", lines[2])
    assert lines[3] == "25.0%\tinf to inf\timages/5.png\tmasks/5.png"
    assert Image.open(folder / "sheet.jpg").width == 1600


def test_crops_that_are_fully_ignored_are_counted(tmp_path):
    runner = runner_on(tmp_path, dataset=dict(broken=1, target=255))
    with pytest.raises(Stopped, match=r"iteration 1 \(.*100% of the pixels ignored, 2 of 2 crops are fully ignored\)"):
        runner.train()


@pytest.mark.slow
def test_an_infinite_gradient_ends_the_run_although_the_loss_is_finite(tmp_path):
    runner = runner_on(tmp_path, hooks=[dict(type="GuardHook"), dict(type="BreakGradients", at=2)])
    sentence = r"the gradient of decode_head\.conv_seg\.bias is not finite, the loss is \d\.\d+, at iteration 2 \(lear"
    with pytest.raises(Stopped, match=sentence):
        runner.train()
    saved = compat.load_checkpoint_file(tmp_path / "before_nonfinite_iter_2.pth")
    assert_same(saved["state_dict"], weights_after(1, tmp_path / "one", hooks=()))


@pytest.mark.slow
def test_accumulated_gradients_are_checked_before_the_step(tmp_path):
    accumulate = dict(accumulative_counts=2)
    runner = runner_on(tmp_path, dataset=dict(broken=5), optim_wrapper=accumulate)  # passes 3 and 4 are one step
    with pytest.raises(Stopped, match=r"nan at iteration 3 .*nonfinite_iter_3_rank_0, .*before_nonfinite_iter_4\.pth"):
        runner.train()
    saved = compat.load_checkpoint_file(tmp_path / "before_nonfinite_iter_4.pth")
    assert saved["meta"]["iter"] == 2
    assert_same(saved["state_dict"], weights_after(2, tmp_path / "two", hooks=(), optim_wrapper=accumulate))


@pytest.mark.slow
def test_a_scaler_may_skip_gradients_that_overflow_but_not_a_loss_of_nan(tmp_path):
    scaled = dict(type="CpuAmpOptimWrapper", init_scale=1024.0)
    runner = runner_on(
        tmp_path, optim_wrapper=scaled, hooks=[dict(type="GuardHook"), dict(type="BreakGradients", at=2)]
    )
    runner.train()
    assert runner.iter == 6
    assert runner.optim_wrapper.loss_scaler.get_scale() == 512  # lowered once
    runner = runner_on(tmp_path, dataset=dict(broken=5), optim_wrapper=scaled)
    with pytest.raises(Stopped, match=r"decode\.loss_ce is nan at iteration 3"):
        runner.train()


def test_weights_that_are_nan_already_are_not_saved(tmp_path):
    runner = runner_on(tmp_path)
    runner.model.decode_head.convs[0].conv.register_parameter("bias", torch.nn.Parameter(torch.full((4,), torch.nan)))
    expected = r"the weights were not finite before it \(decode_head\.convs\.0\.conv\.bias\), so start again from an"
    with pytest.raises(Stopped, match=expected):
        runner.train()
    assert not list(tmp_path.glob("before_*"))


def test_a_full_disk_does_not_hide_the_reason(tmp_path, monkeypatch):
    (tmp_path / "nonfinite_iter_3_rank_0").write_text("a file where the folder belongs")
    (tmp_path / "before_nonfinite_iter_3.pth").mkdir()
    runner = runner_on(tmp_path, dataset=dict(broken=5))
    expected = (
        r"nan at iteration 3 .*cannot be written to \S+rank_0 \(File exists\), the state .* cannot be written \(Is"
    )
    with pytest.raises(Stopped, match=expected):
        runner.train()


def test_a_batch_that_does_not_fit_on_the_disk_does_not_hide_the_reason(tmp_path):
    folder = tmp_path / "nonfinite_iter_3_rank_0"
    folder.mkdir()
    (folder / f".batch.{os.getpid()}-{atomic._START}.tmp.pt").symlink_to("/dev/full")
    runner = runner_on(tmp_path, dataset=dict(broken=5))
    with pytest.raises(Stopped, match=r"nan at iteration 3 .*cannot be written to \S+rank_0 \(No space left on device"):
        runner.train()
    assert not (folder / "batch.pt").exists()


def test_the_guard_does_not_change_a_good_run(tmp_path):
    assert_same(weights_after(5, tmp_path / "with"), weights_after(5, tmp_path / "without", hooks=()))


@pytest.mark.slow
def test_a_loss_that_stays_zero_is_warned_about_once(tmp_path):
    runner = runner_on(tmp_path, 8, dataset=dict(target=255))
    runner.train()
    (line,) = [line for line in log_of(runner).splitlines() if "the loss has been 0" in line]
    expected = r"WARNING - the loss has been 0 for 3 iterations: are all pixels ignored, as in masks of 0 and 255 only"
    assert re.search(expected + r".* run tools/dataset\.py check CONFIG$", line)
    assert "accuracy has been" not in log_of(runner)


def test_an_accuracy_that_stays_zero_is_warned_about_once(tmp_path):
    not_learning = dict(optimizer=dict(lr=0.0))
    runner = runner_on(tmp_path, 8, dataset=dict(target=1), optim_wrapper=not_learning)

    def raise_score_of_another_class(module, inputs, scores):
        scores[:, 0] += 100

    runner.model.decode_head.conv_seg.register_forward_hook(raise_score_of_another_class)
    runner.train()
    (line,) = [line for line in log_of(runner).splitlines() if "the accuracy has been 0 for 3 iterations" in line]
    assert "do the masks hold train ids?" in line


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss",
    [
        dict(type="CrossEntropyLoss"),
        dict(type="CrossEntropyLoss", class_weight=[1.0, 2.0, 3.0]),
        dict(type="CrossEntropyLoss", class_weight=[1.0, 2.0, 3.0], avg_non_ignore=True),
        dict(type="CrossEntropyLoss", avg_non_ignore=True),
    ],
    ids=lambda loss: "-".join(key for key in loss),
)
def test_a_batch_without_labelled_pixels_does_not_stop_the_run(tmp_path, loss):
    compat.repair()  # as every program does
    head = dict(MODEL["decode_head"], loss_decode=loss)
    runner = runner_on(tmp_path, 1, dataset=dict(target=255), model=dict(decode_head=head))
    runner.train()
    assert runner.message_hub.get_scalar("train/loss").current() == 0
