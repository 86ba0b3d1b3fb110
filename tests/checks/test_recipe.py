"""Values of a config that depend on each other."""

import pytest
from mmengine.config import Config

from semseg.checks.recipe import check_recipe

RESNET = dict(type="ResNetV1c", num_stages=4, strides=(1, 2, 1, 1))
HEAD = dict(type="PSPHead", norm_cfg=dict(type="SyncBN"))


def recipe(crop=(64, 128), padded=(64, 128), batch_size=2, launcher="none", head=HEAD, backbone=RESNET, **preprocessor):
    """Return the findings as {code: line}."""
    pipeline = [dict(type="LoadImageFromFile"), dict(type="RandomCrop", crop_size=crop)]
    wrapped = dict(type="SeededDataset", dataset=dict(type="CityscapesDataset", pipeline=pipeline))
    cfg = Config(
        dict(
            launcher=launcher,
            model=dict(
                backbone=backbone,
                decode_head=head,
                data_preprocessor=dict(type="SegDataPreProcessor", size=padded, **preprocessor),
            ),
            train_dataloader=dict(batch_size=batch_size, dataset=wrapped),
        )
    )
    return {finding.code: f"{finding.kind} {finding.line()}" for finding in check_recipe(cfg)}


def test_a_recipe_that_fits_has_no_finding():
    assert recipe() == {}
    assert recipe(crop=64, padded=None, size_divisor=32) == {}
    assert recipe(backbone=dict(type="MixVisionTransformer"), crop=(60, 60), padded=(60, 60)) == {}


def test_a_crop_beyond_the_padded_size_is_an_error_and_one_below_it_a_warning():
    line = recipe(crop=(64, 160))["crop"]
    assert line.startswith("error train: crops of 64x160 (height x width) do not fit into model.data_preprocessor.size")
    assert line.endswith("set model.data_preprocessor.size=64,160")
    line = recipe(crop=(64, 96))["crop"]
    assert line.startswith("warning train: crops of 64x96")
    assert "25% of what the network sees is padding; set model.data_preprocessor.size=64,96" in line


@pytest.mark.parametrize(("sizes", "word"), [(dict(padded=None), "neither"), (dict(size_divisor=32), "both")])
def test_padding_takes_one_rule(sizes, word):
    line = recipe(**sizes)["padding"]
    assert line.startswith(f"error train: model.data_preprocessor has {word} of size and size_divisor")
    assert "set model.data_preprocessor.size=64,128" in line


def test_a_crop_between_two_strides_is_a_warning_except_for_aligned_corners():
    line = recipe(crop=(60, 128), padded=(60, 128))["stride"]
    assert "has one feature for 8x8 pixels" in line
    assert line.endswith("crop to 64x128")
    aligned = dict(HEAD, align_corners=True)
    assert recipe(crop=(65, 129), padded=(65, 129), head=aligned) == {}


def test_a_batch_of_one_cannot_be_normalised_after_pooling_to_one_pixel(monkeypatch):
    line = recipe(batch_size=1)["batch-of-one"]
    assert line.startswith("error train: PSPHead pools each image to 1x1")
    assert "set train_dataloader.batch_size=2 or more" in line
    for head in (dict(HEAD, pool_scales=(2, 3)), dict(HEAD, norm_cfg=dict(type="GN")), dict(HEAD, type="FCNHead")):
        assert recipe(batch_size=1, head=head) == {}
    assert "batch-of-one" in recipe(batch_size=1, head=dict(HEAD, type="ASPPHead"))
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert recipe(batch_size=1, launcher="pytorch") == {}  # SyncBN sees the others
    assert "batch-of-one" in recipe(batch_size=1, launcher="pytorch", head=dict(HEAD, norm_cfg=dict(type="BN")))


LOSS = dict(type="CrossEntropyLoss", use_sigmoid=False)


def test_one_channel_needs_a_sigmoid():
    line = recipe(head=dict(HEAD, out_channels=1, loss_decode=LOSS))["one-channel"]
    assert line.startswith("error train: model.decode_head has out_channels=1")
    assert "set use_sigmoid=True in its loss_decode" in line
    assert recipe(head=dict(HEAD, out_channels=1, loss_decode=[dict(LOSS, use_sigmoid=True)])) == {}


def test_class_weights_with_a_sigmoid_are_an_error():
    sigmoid = dict(LOSS, use_sigmoid=True)
    line = recipe(head=dict(HEAD, loss_decode=[LOSS, dict(sigmoid, class_weight=[1.0, 2.0])]))["weighted-sigmoid"]
    assert "CrossEntropyLoss with use_sigmoid=True cannot weigh classes; set class_weight=None" in line
    assert recipe(head=dict(HEAD, loss_decode=dict(LOSS, class_weight=[1.0, 2.0]))) == {}


def test_a_mean_must_have_three_channels():
    line = recipe(mean=[1, 2, 3, 4], std=[1, 1, 1])["channels"]
    assert line.endswith("model.data_preprocessor.mean has 4 values, and photographs 3 channels: give 3")
