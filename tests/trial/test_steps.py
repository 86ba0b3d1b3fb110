"""What does not fit is found before it is tried."""

import resource
from contextlib import contextmanager
from pathlib import Path

import pytest

from semseg.stopping import Stopped
from semseg.trial.steps import unreached
from tests.trial.runs import build

WIDE = "model.backbone.stem_channels=256"  # so that the features take more than the scores
LARGE = "val_dataloader.dataset.pipeline.1.scale=(2048,1024)"
LINUX = pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="only there memory can be bounded")


@contextmanager
def bounded_memory(num_bytes):
    """Let this process have so much more memory."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + num_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.fixture(autouse=True)
def in_town(town, monkeypatch):
    monkeypatch.chdir(town)


@LINUX
def test_a_picture_that_does_not_fit_is_named_with_the_tiles_that_do(tmp_path):
    runner = build(tmp_path, WIDE, LARGE, dry_run=True)
    with bounded_memory(800 << 20), pytest.raises(ValueError, match="validation of data/toycity/") as caught:
        runner.train()
    assert "(256x128) needs about " in str(caught.value)
    assert " are free; in tiles of the training's crop it takes about " in str(caught.value)
    options = str(caught.value).partition("--cfg-options ")[2].split()
    assert options == ["model.test_cfg.mode=slide", "model.test_cfg.crop_size=64,128", "model.test_cfg.stride=43,86"]
    with pytest.raises(Stopped, match="dry run: nothing stands in the way"):
        build(tmp_path, *options, dry_run=True).train()


@LINUX
def test_a_batch_that_does_not_fit_is_told_the_one_that_does(tmp_path):
    runner = build(tmp_path, WIDE, "train_dataloader.batch_size=8", dry_run=True)
    with (
        bounded_memory(100 << 20),
        pytest.raises(ValueError, match="a training step with a batch of 8 needs") as caught,
    ):
        runner.train()
    assert " are free; a batch of " in str(caught.value)
    assert " of them make an update of the same size: --accumulate " in str(caught.value)


def test_whole_modules_stand_for_their_parameters():
    names = ["a.x.w", "a.x.b", "a.y.w", "b.w"]
    assert unreached(names, {"a.y.w", "b.w"}) == ("a.x (2 parameters)",)
    assert unreached(names, {"a.x.w", "b.w"}) == ("a.x.b", "a.y (1 parameters)")
    assert unreached(names, {"b.w"}) == ("a (3 parameters)",)
    assert unreached(names, names) == ()
