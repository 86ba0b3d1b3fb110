"""Pictures are padded in tests if a backbone would fail on their size."""

import importlib.util
from pathlib import Path

import pytest

from semseg.config import load_config
from tests.conftest import CONFIG

ZOO = Path(importlib.util.find_spec("mmseg").origin).parent / ".mim/configs"


@pytest.mark.parametrize(
    ("name", "padding"),
    [
        ("ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024", {"size_divisor": 8}),
        ("pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes", {"size_divisor": 8}),
        ("unet/unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024", {"size_divisor": 16}),
        ("beit/beit-base_upernet_8xb2-160k_ade20k-640x640", {"size": (640, 640)}),
        ("segnext/segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512", {"size_divisor": 32}),  # its own
    ],
)
def test_backbones_that_need_it_get_padding(name, padding):
    assert load_config(ZOO / f"{name}.py").model.data_preprocessor.test_cfg == padding


def test_other_backbones_and_configs_that_say_it_are_not_changed():
    assert "test_cfg" not in load_config(CONFIG).model.data_preprocessor
    path = ZOO / "pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py"
    cfg = load_config(path, ["model.data_preprocessor.test_cfg.size_divisor=64"])
    assert cfg.model.data_preprocessor.test_cfg == {"size_divisor": 64}


def test_sliding_windows_leave_the_pictures_as_they_are():
    options = ["model.test_cfg.mode=slide", "model.test_cfg.stride=(16,32)", "model.test_cfg.crop_size=(32,48)"]
    cfg = load_config(ZOO / "unet/unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024.py", options)
    assert "test_cfg" not in cfg.model.data_preprocessor


def test_a_unet_with_fewer_stages_divides_less():
    options = [
        "model.backbone.num_stages=3",
        "model.backbone.strides=(1,1,1)",
        "model.backbone.enc_num_convs=(2,2,2)",
        "model.backbone.dec_num_convs=(2,2)",
        "model.backbone.downsamples=(True,False)",
        "model.backbone.enc_dilations=(1,1,1)",
        "model.backbone.dec_dilations=(1,1)",
    ]
    cfg = load_config(ZOO / "unet/unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024.py", options)
    assert cfg.model.data_preprocessor.test_cfg == {"size_divisor": 2}
