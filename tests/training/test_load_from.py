"""The weights that a run starts from."""

from pathlib import Path

import pytest
import torch

from semseg.config import load_config
from semseg.training import for_training
from tests.conftest import CONFIG, raises

R101 = Path("configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py").resolve()


@pytest.fixture
def cfg(tmp_path, monkeypatch):
    """The finished ToyCity config, in a folder with `runs/iter_4.pth` of another run."""
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    torch.save({"state_dict": {}, "optimizer": {}, "message_hub": {}}, "runs/iter_4.pth")
    return load_config(CONFIG, work_dir="new")


def hooks(cfg):
    return {hook.type for hook in cfg.custom_hooks}


def test_a_file_to_start_from(cfg):
    done = for_training(cfg, load_from="runs/iter_4.pth")
    assert (done.load_from, done.resume) == ("runs/iter_4.pth", False)
    assert "FineTuningHook" in hooks(done)
    assert "FineTuningHook" not in hooks(for_training(cfg))
    with pytest.raises(FileNotFoundError, match=r"^no checkpoint runs/iter_5.pth; runs holds iter_4.pth$"):
        for_training(cfg, load_from="runs/iter_5.pth")


def test_a_file_that_the_config_names_is_used_in_the_same_way(cfg):
    cfg.load_from = "runs/iter_4.pth"
    assert "FineTuningHook" in hooks(for_training(cfg))
    cfg.load_from = "runs/iter_5.pth"
    with pytest.raises(FileNotFoundError, match=r"no checkpoint runs/iter_5.pth; runs holds iter_4.pth"):
        for_training(cfg)


@pytest.mark.parametrize("address", ["https://127.0.0.1:9/x.pth", "open-mmlab://resnet101_v1c"])
def test_an_address_is_not_changed(cfg, address):
    assert for_training(cfg, load_from=address).load_from == address


def test_a_run_is_started_or_continued(cfg):
    cfg.work_dir = "runs"
    for resume in ("newest", "runs/iter_4.pth"):
        with raises("E-config-conflict", "^`load_from` .* `resume` "):
            for_training(cfg, load_from="runs/iter_4.pth", resume=resume)
        assert "FineTuningHook" not in hooks(for_training(cfg, resume=resume))
    Path("elsewhere.pth").touch()
    done = for_training(cfg, load_from="elsewhere.pth", resume="auto")
    assert (done.load_from, done.resume) == ("runs/iter_4.pth", True)
    cfg.work_dir = "empty"
    done = for_training(cfg, load_from="elsewhere.pth", resume="auto")
    assert (done.load_from, done.resume, "FineTuningHook" in hooks(done)) == ("elsewhere.pth", False, True)


def test_weights_for_the_backbone_are_not_downloaded_as_well(cfg):
    recipe = load_config(R101)
    recipe.model.backbone.init_cfg = dict(type="Pretrained", checkpoint="https://127.0.0.1:9/y.pth")
    done = for_training(recipe, load_from="runs/iter_4.pth")
    assert (done.model.pretrained, done.model.backbone.init_cfg) == (None, None)
    assert for_training(recipe).model.pretrained == "open-mmlab://resnet101_v1c"


def test_parts_are_frozen_by_flag_or_config(cfg):
    assert "runner_type" not in for_training(cfg)
    done = for_training(cfg, freeze=["backbone.stem", "backbone.layer1"])
    assert (done.runner_type, done.frozen_parts) == ("FreezingRunner", ["backbone.layer1", "backbone.stem"])
    assert "FrozenPartsHook" in hooks(done)
    cfg.frozen_parts = ["backbone"]
    assert for_training(cfg).runner_type == "FreezingRunner"
    cfg.runner_type = "TheirRunner"
    with raises("E-config-unsupported", "^`freeze` .* runner_type 'TheirRunner'"):
        for_training(cfg)
