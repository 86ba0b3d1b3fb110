"""`test_defect…` fails when the stack has fixed the defect: then remove the repair in compat/input_sizes.py."""

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from semseg import Segmenter, compat
from semseg.compat.input_sizes import divisor_of_model
from semseg.config import load_config
from tests.checkpoints.described import checkpoint, save

SMALL = {
    "unet-s5-d16_fcn_1xb4-1000_toycity-128x256": [
        "model.backbone.base_channels=2", "model.decode_head.in_channels=2", "model.decode_head.channels=2",
        "model.auxiliary_head.in_channels=4", "model.auxiliary_head.channels=2",
    ],
    "pidnet-s_1xb4-1000_toycity-128x256": [],
    "ddrnet_23-slim_1xb4-1000_toycity-128x256": [],
}  # fmt: skip
SLIDE = ["model.test_cfg.mode=slide", "model.test_cfg.crop_size=(64,96)", "model.test_cfg.stride=(40,64)"]


def build(name, *options):
    compat.repair()
    init_default_scope("mmseg")
    torch.manual_seed(0)
    return MODELS.build(load_config(name, [*SMALL[name], *options]).model).eval()


def metas(height, width):
    return [dict(ori_shape=(height, width), img_shape=(height, width), pad_shape=(height, width))]


@pytest.mark.parametrize("name", SMALL)
def test_defect_the_networks_still_fail_on_some_sizes(name):
    model = build(name)
    stock = type(model).encode_decode.__wrapped__
    with torch.no_grad(), pytest.raises((AssertionError, RuntimeError)):
        stock(model, torch.zeros(1, 3, 100, 150), metas(100, 150))


@pytest.mark.parametrize("name", SMALL)
@torch.no_grad()
def test_inputs_of_other_sizes_are_padded_and_the_padding_is_cut_off(name):
    model = build(name)
    divisor = divisor_of_model(model)
    assert divisor == (16 if "unet" in name else 8)
    inputs = torch.randn(1, 3, 100, 150)
    scores = model.encode_decode(inputs, metas(100, 150))
    padded = torch.nn.functional.pad(inputs, (0, -150 % divisor, 0, -100 % divisor))
    stock = type(model).encode_decode.__wrapped__
    assert scores.equal(stock(model, padded, metas(*padded.shape[2:]))[..., :100, :150])
    whole = torch.randn(1, 3, 64, 96)
    assert model.encode_decode(whole, metas(64, 96)).equal(stock(model, whole, metas(64, 96)))


def test_a_network_for_all_sizes_is_not_padded():
    compat.repair()
    init_default_scope("mmseg")
    assert divisor_of_model(MODELS.build(load_config("fcn_r18-d8_1xb4-1000_toycity-128x256").model)) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_sliding_windows_tiles_and_small_pictures_of_any_size_are_segmented(name, tmp_path):
    cfg = load_config(name, [*SMALL[name], *SLIDE])
    cfg.test_dataloader.dataset.pipeline = [dict(type="LoadImageFromFile"), dict(type="PackSegInputs")]
    path = save(tmp_path / "model.pth", checkpoint(cfg))
    image = np.random.default_rng(0).integers(0, 256, (97, 150, 3), np.uint8)
    for options in ({}, {"tile": 100}, {"cfg_options": ["model.test_cfg.mode=whole"]}):
        segment = Segmenter(path, device="cpu", **options)
        assert segment(image).train_ids.shape == (97, 150)
        assert segment(image[:50, :61]).train_ids.shape == (50, 61)
