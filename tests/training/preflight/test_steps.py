"""A step that does not fit into memory is found before it is run."""

import resource
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from semseg.system.stopping import Stopped
from semseg.training.preflight import meter, steps
from semseg.training.preflight.extrapolation import try_step
from semseg.training.preflight.steps import unreached
from tests.conftest import raises
from tests.training.runs import build

PIXEL_BYTES = 8192
LARGE = "val_dataloader.dataset.pipeline.1.scale=(512,256)"
LINUX = pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="only there memory can be bounded")


@contextmanager
def bounded_memory(num_bytes):
    """Limit this process to that much more memory."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + num_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def hungry(*args, **kwargs):
    """Return a Runner whose network needs so much memory that the total does not depend on the machine."""

    def eat(module, inputs):
        torch.ones(inputs[0][:, 0].numel() * PIXEL_BYTES // 4)

    runner = build(*args, **kwargs)
    runner.model.backbone.register_forward_pre_hook(eat)
    return runner


@pytest.fixture
def little_memory(monkeypatch):
    """Return a function that limits the free memory to a share of what training or validation needed in a trial.

    A limit of the system would not do: how much of it the threads reserve differs from machine to machine.
    """
    needs = []

    def spy(*args):
        outcome = try_step(*args)
        needs.append(outcome.need_bytes)
        return outcome

    def leave(share, of):
        num_bytes = int(needs[("training", "validation").index(of)] * share)
        monkeypatch.setattr(meter, "available_memory_bytes", lambda: num_bytes)

    monkeypatch.setattr(steps, "try_step", spy)
    return leave


@pytest.fixture(autouse=True)
def in_town(town, monkeypatch):
    monkeypatch.chdir(town)


@pytest.mark.slow
@LINUX
def test_a_picture_that_does_not_fit_is_named_with_the_tiles_that_fit(tmp_path, little_memory):
    with pytest.raises(Stopped, match="nothing stands in the way"):
        hungry(tmp_path, LARGE, dry_run=True).train()
    little_memory(0.6, of="validation")
    with raises("E-config-memory", r"data/toycity/.* \(256x128, resized to 512x256\) .* `cfg_options` ") as caught:
        hungry(tmp_path, LARGE, dry_run=True).train()
    options = str(caught.value).partition("`cfg_options` ")[2].split()
    assert options == ["model.test_cfg.mode=slide", "model.test_cfg.crop_size=64,128", "model.test_cfg.stride=43,86"]
    with pytest.raises(Stopped, match="dry run: nothing stands in the way"):
        build(tmp_path, *options, dry_run=True).train()


@pytest.mark.slow
@LINUX
def test_a_batch_that_does_not_fit_is_refused_with_one_that_fits(tmp_path, little_memory):
    options = ["train_dataloader.batch_size=16"]
    with pytest.raises(Stopped, match="nothing stands in the way"):
        hungry(tmp_path, *options, dry_run=True).train()
    little_memory(0.4, of="training")
    message = r"batch of 16 .* a batch of \d fits, .* `accumulate` \d+ `cfg_options` train_dataloader\.batch_size=\d$"
    with raises("E-config-memory", message):
        hungry(tmp_path, *options, dry_run=True).train()


@pytest.mark.slow
def test_the_name_of_a_module_replaces_those_of_its_parameters():
    names = ["a.x.w", "a.x.b", "a.y.w", "b.w"]
    assert unreached(names, {"a.y.w", "b.w"}) == ("a.x (2 parameters)",)
    assert unreached(names, {"a.x.w", "b.w"}) == ("a.x.b", "a.y (1 parameters)")
    assert unreached(names, {"b.w"}) == ("a (3 parameters)",)
    assert unreached(names, names) == ()
