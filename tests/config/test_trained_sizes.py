"""The sizes of a test come from the training of the checkpoint, and only as numbers."""

import pytest

from semseg.config import for_inference, load_config
from semseg.config.classes import classes_of
from semseg.config.trained_sizes import TrainedSizes, sizes_of
from semseg.evaluation import for_testing
from tests.checkpoints.described import checkpoint, save
from tests.config.test_sizes import PSPNET, step_of, write_set
from tests.conftest import CONFIG

CODE = "a': __import__('os').system('x'), 'b"


def described(config):
    return {"meta": {"semseg": {"schema": 1, "config": config}}}


def config_with(step=None, **test_cfg):
    step = {"type": "Resize", "scale": [200, 100], "keep_ratio": True, **(step or {})}
    dataset = {"type": "FolderSegDataset", "pipeline": [{"type": "LoadImageFromFile"}, step]}
    model = {"test_cfg": {"mode": "slide", "crop_size": [64, 96], "stride": [48, 64], **test_cfg}}
    return {"test_dataloader": {"dataset": dataset}, "model": model}


def test_sizes_are_read_from_a_description():
    assert sizes_of(described(config_with())) == TrainedSizes("Resize", (200, 100), None, (64, 96), (48, 64))


@pytest.mark.parametrize("value", [{CODE: 1}, [64, {CODE: 1}], CODE, True, [64, 64.5], [64], -3, None])
def test_what_is_no_size_in_a_description_is_not_copied(value):
    assert sizes_of(described(config_with(crop_size=value)))[3:] == (None, None)
    assert sizes_of(described(config_with(stride=value)))[3:] == (None, None)
    assert sizes_of(described(config_with({"scale": value})))[:2] == (None, None)
    assert sizes_of(described(config_with({"max_size": value}))).max_size is None


@pytest.mark.parametrize(
    "config", ["x", 3, None, [], {"model": "x"}, {"test_dataloader": []}, {"test_dataloader": {"dataset": "x"}}]
)
def test_a_malformed_description_has_no_sizes(config):
    assert sizes_of(described(config)) == TrainedSizes()


def test_a_config_with_other_sizes_than_the_training_is_a_warning(tmp_path, caplog):
    data, options = write_set(tmp_path, size=(480, 360)), ["model.pretrained=None"]
    trained = load_config(PSPNET, options, data=data)
    content = checkpoint(trained, classes=classes_of(trained.train_dataloader))
    path = save(tmp_path / "a.pth", content)
    caplog.clear()
    for_inference(load_config(path), path)
    for_testing(load_config(PSPNET, options, data=data, content=content), path)
    assert "the training validated" not in caplog.text
    for_testing(load_config(PSPNET, options, data=data, content={"meta": {}}), path)
    assert f"the training validated {path} with scale 720x360 instead of 2048x1024 of this config" in caplog.text


def test_views_with_scales_follow_the_scale_of_the_test(tmp_path):
    views = load_config(CONFIG).tta_pipeline[1].transforms[0]
    assert [view.scale for view in views] == [(256, 128), (320, 160), (384, 192)]
    cfg = load_config(CONFIG, data=write_set(tmp_path, size=(160, 80)))
    assert step_of(cfg, "test", "Resize").scale == (160, 80)
    assert [view.scale for view in cfg.tta_pipeline[1].transforms[0]] == [(128, 64), (160, 80), (192, 96)]


def test_an_option_for_the_test_of_a_checkpoint_moves_its_views_too(tmp_path):
    trained = load_config(PSPNET, ["model.pretrained=None"], data=write_set(tmp_path, size=(480, 360)))
    path = save(tmp_path / "a.pth", checkpoint(trained))
    cfg = load_config(path, ["test_dataloader.dataset.pipeline.1.scale=(960,720)"])
    assert cfg.tta_pipeline[1].scale == (960, 720)
