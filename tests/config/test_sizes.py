"""Scales, crops, padding and windows of a config follow the pictures of the user's data set."""

import importlib.util
import logging
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import TRANSFORMS

from semseg.config import load_config
from semseg.config.scaling_steps import enlargement, scaled_sizes
from semseg.config.sizes import fit_sizes
from semseg.config.tree import inner_datasets
from semseg.datasets.picture_sizes import Picture
from tests.config.test_dataset_files import write_set

ZOO = Path(importlib.util.find_spec("mmseg").origin).parent / ".mim/configs"
PSPNET = ZOO / "pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py"


def pictures(*sizes):
    return [Picture(width, height, 3, 8) for width, height in sizes]


def step_of(cfg, loader, kind):
    steps = inner_datasets(cfg[f"{loader}_dataloader"].dataset)[0].pipeline
    return next(step for step in steps if step.type == kind)


def fitted(path, *sizes):
    cfg = Config.fromfile(path, import_custom_modules=False)
    return cfg, fit_sizes(cfg, pictures(*sizes))


def test_small_pictures_keep_their_size_in_training_and_tests(tmp_path, caplog):
    caplog.set_level(logging.WARNING, "semseg")
    cfg = load_config(PSPNET, data=write_set(tmp_path, size=(480, 360)))
    assert step_of(cfg, "train", "RandomResize").scale == (720, 360)
    assert step_of(cfg, "train", "RandomResize").ratio_range == (0.5, 2.0)
    assert step_of(cfg, "val", "Resize").scale == step_of(cfg, "test", "Resize").scale == (720, 360)
    assert step_of(cfg, "train", "RandomCrop").crop_size == cfg.model.data_preprocessor.size == (384, 480)
    assert "pictures of 480x360 are not enlarged: scale 720x360 instead of 2048x1024 (2.8 times larger)" in caplog.text
    assert "crops of 384x480 (height x width) instead of 512x1024" in caplog.text


def test_an_option_sets_a_size_that_would_be_fitted(tmp_path):
    option = "val_dataloader.dataset.pipeline.1.scale=(960,720)"
    cfg = load_config(PSPNET, [option], data=write_set(tmp_path, size=(480, 360)))
    assert step_of(cfg, "val", "Resize").scale == (960, 720)


def test_the_views_of_a_test_start_from_its_scale(tmp_path):
    path = write_set(tmp_path, size=(480, 360))
    for options, scale in (((), (720, 360)), (["test_dataloader.dataset.pipeline.1.scale=(960,720)"], (960, 720))):
        cfg = load_config(PSPNET, options, data=path)
        assert [step.type for step in cfg.tta_pipeline] == ["LoadPhotograph", "Resize", "TestTimeAug"]
        assert cfg.tta_pipeline[1].scale == scale


def test_large_pictures_are_scaled_as_the_config_says_and_a_note_tells_it():
    cfg, notes = fitted(PSPNET, (4000, 3000))
    assert step_of(cfg, "val", "Resize").scale == (2048, 1024)
    assert step_of(cfg, "train", "RandomCrop").crop_size == (512, 1024)
    (note,) = notes
    assert note.startswith("pictures of 4000x3000 are scaled by 0.34, to the scale 2048x1024; for small objects, ")


@pytest.mark.parametrize(
    ("usual", "large", "note"),
    [
        ((480, 360), (2048, 1024), "8% of the pictures, those of 2048x1024, are scaled by 0.35, to the scale 720x360;"),
        (
            (1900, 1000),
            (6000, 4000),
            "8% of the pictures, those of 6000x4000, are scaled by 0.26, to the scale 2048x1024",
        ),
    ],
)
def test_a_note_tells_how_many_pictures_become_smaller(usual, large, note):
    _, notes = fitted(PSPNET, *[usual] * 92, *[large] * 8)
    assert notes[0].startswith(note) and not any("%" in other for other in notes[1:])


STRETCHED = """
_base_ = {base!r}
crop_size = (512, 512)
stretch = dict(type="Resize", scale=(1024, 768))
train_pipeline = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations"), {step},
                  dict(type="RandomCrop", crop_size=crop_size), dict(type="PackSegInputs")]
test_pipeline = [dict(type="LoadImageFromFile"), stretch, dict(type="LoadAnnotations"), dict(type="PackSegInputs")]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
model = dict(data_preprocessor=dict(size=crop_size),
             test_cfg=dict(mode="slide", crop_size=(1024, 1024), stride=(512, 512)))
"""


@pytest.mark.parametrize(
    ("step", "crop"),
    [
        ("stretch", (512, 512)),
        ("dict(type='RandomResize', scale=(1024, 256), ratio_range=(0.5, 2.0))", (256, 512)),
        ("dict(type='RandomChoiceResize', scales=[(1024, 256), (2048, 512)])", (512, 512)),
        ("dict(type='RandomResize', scale=[(512, 256), (1024, 512)], keep_ratio=True)", (512, 512)),
        ("dict(type='Resize', scale_factor=2.0)", (512, 512)),
        ("dict(type='RandomFlip', prob=0.5)", (96, 128)),
    ],
)
def test_crops_and_windows_fit_pictures_that_lose_their_ratio(tmp_path, step, crop):
    """MMCV keeps it only with `keep_ratio=True`. Where the size after a step is not known, the crop stays."""
    path = tmp_path / "stretched.py"
    path.write_text(STRETCHED.format(base=str(PSPNET), step=step))
    cfg, _ = fitted(path, (120, 90))
    assert step_of(cfg, "train", "RandomCrop").crop_size == cfg.model.data_preprocessor.size == crop
    assert step_of(cfg, "val", "Resize").scale == (1024, 768)
    assert cfg.model.test_cfg.crop_size == (768, 1024)


def test_pictures_of_the_size_of_the_config_change_nothing():
    cfg, notes = fitted(PSPNET, (2048, 1024))
    assert notes == []
    assert cfg.to_dict() == Config.fromfile(PSPNET).to_dict()


def test_one_picture_of_another_size_does_not_decide():
    few_large = [(480, 360)] * 20 + [(6000, 4000)]
    cfg, _ = fitted(PSPNET, *few_large)
    assert step_of(cfg, "val", "Resize").scale == (720, 360)
    half_large = [(480, 360)] * 10 + [(2048, 1024)] * 10
    cfg, notes = fitted(PSPNET, *half_large)
    assert step_of(cfg, "val", "Resize").scale == (2048, 1024) and notes == []


@pytest.mark.parametrize(
    ("name", "crop", "window", "stride"),
    [
        ("pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-769x769", (385, 481), (385, 481), (256, 320)),
        ("segmenter/segmenter_vit-t_mask_8xb1-160k_ade20k-512x512", (384, 480), (384, 480), (360, 450)),
    ],
)
def test_sliding_windows_shrink_with_the_crop(name, crop, window, stride):
    cfg, _ = fitted(ZOO / f"{name}.py", (480, 360))
    assert step_of(cfg, "train", "RandomCrop").crop_size == cfg.model.data_preprocessor.size == crop
    assert (cfg.model.test_cfg.crop_size, cfg.model.test_cfg.stride) == (window, stride)


def test_all_steps_that_know_the_crop_shrink_with_it():
    cfg, _ = fitted(ZOO / "deeplabv3/deeplabv3_r50-d8_4xb4-20k_voc12aug-512x512.py", (480, 360))
    for dataset in inner_datasets(cfg.train_dataloader.dataset):
        assert next(step for step in dataset.pipeline if step.type == "Pad")["size"] == (384, 480)
    cfg, _ = fitted(ZOO / "san/san-vit-b16_coco-stuff164k-640x640.py", (480, 360))
    assert (cfg.model.data_preprocessor["size"], cfg.model.data_preprocessor.size_divisor) == ((384, 480), None)
    assert step_of(cfg, "train", "RandomChoiceResize").scales[0] == 180
    assert step_of(cfg, "val", "ResizeShortestEdge") == dict(type="ResizeShortestEdge", scale=(360, 360), max_size=1440)


def test_padding_beyond_the_crop_shrinks_to_the_new_crop():
    cfg, notes = fitted(ZOO / "knet/knet-s3_swin-l_upernet_8xb2-adamw-80k_ade20k-640x640.py", (480, 360))
    assert step_of(cfg, "train", "RandomCrop").crop_size == cfg.model.data_preprocessor["size"] == (384, 480)
    assert "model.data_preprocessor.size=384x480 instead of 640x640" in notes[1]


def test_hard_example_mining_keeps_its_share_of_the_pixels():
    cfg, notes = fitted(ZOO / "ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py", (480, 360))
    kept = [loss.min_kept for loss in cfg.model.decode_head.loss_decode]
    assert kept == [131072 * 384 * 480 // 1024**2] * 2
    assert "model.decode_head.loss_decode.0.min_kept=23040 instead of 131072" in notes[1]


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("beit/beit-base_upernet_8xb2-160k_ade20k-640x640", 1.8),
        ("mae/mae-base_upernet_8xb2-amp-160k_ade20k-512x512", 1.4),
    ],
)
def test_models_of_one_size_keep_the_sizes_of_the_config(name, factor):
    path = ZOO / f"{name}.py"
    cfg, notes = fitted(path, (480, 360))
    assert cfg.to_dict() == Config.fromfile(path, import_custom_modules=False).to_dict()
    (note,) = notes
    assert note.startswith(f"pictures of 480x360 are enlarged {factor} times, as model.backbone (")


def test_tests_are_scaled_as_validations():
    path = ZOO / "pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024_dark-zurich-1920x1080.py"
    cfg, notes = fitted(path, (1920, 1080))
    assert step_of(cfg, "test", "Resize").scale == step_of(cfg, "val", "Resize").scale == (2048, 1024)
    assert notes == ["tests use the scale of the validation, 2048x1024 instead of 1920x1080"]


@pytest.mark.parametrize(
    "step",
    [
        dict(type="Resize", scale=(200, 100), keep_ratio=True),
        dict(type="Resize", scale=(90, 300), keep_ratio=True),
        dict(type="ResizeShortestEdge", scale=60, max_size=100),
        dict(type="ResizeShortestEdge", scale=(60, 80), max_size=1000),
    ],
)
@pytest.mark.parametrize("size", [(61, 47), (47, 61), (100, 20)])
def test_sizes_are_computed_as_the_steps_do(step, size):
    init_default_scope("mmseg")
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    result = TRANSFORMS.build(step).transform({"img": image, "img_shape": (height, width)})["img"].shape[:2]
    assert np.abs(scaled_sizes(step, pictures(size))[0] - result).max() <= 1  # half pixels
    assert enlargement(step, pictures(size)) == pytest.approx(result[0] / height, abs=0.5 / height)


def test_a_checkpoint_is_tested_with_the_sizes_of_its_training(tmp_path, caplog):
    small, large = write_set(tmp_path / "small", size=(480, 360)), write_set(tmp_path / "large", size=(800, 600))
    trained = load_config(PSPNET, data=small)
    content = {"meta": {"semseg": {"schema": 1, "config": trained.to_dict()}}}
    caplog.clear()
    cfg = load_config(PSPNET, data=large, content=content)
    assert step_of(cfg, "test", "Resize").scale == cfg.tta_pipeline[1].scale == (720, 360)
    assert "as the checkpoint was trained: scale 720x360 instead of 2048x1024" in caplog.text
    # weights of others were trained with the scale of the config
    assert step_of(load_config(PSPNET, data=large, content={"meta": {}}), "test", "Resize").scale == (2048, 1024)
