"""Configs of MMSegmentation 0.x are recognized, and the error names the config of 1.x that replaces them."""

import pytest

from semseg.config import load_config
from tests.conftest import REPO, raises

SCHEDULE = """
optimizer = dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0005)
optimizer_config = dict()
lr_config = dict(policy='poly', power=0.9, min_lr=1e-4, by_epoch=False)
runner = dict(type='IterBasedRunner', max_iters=80000)
checkpoint_config = dict(by_epoch=False, interval=8000)
evaluation = dict(interval=8000, metric='mIoU', pre_eval=True)
"""
MODEL = """
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    pretrained='open-mmlab://resnet101_v1c',
    backbone=dict(type='ResNetV1c', depth=101, norm_cfg=norm_cfg),
    decode_head=dict(type='PSPHead', in_channels=2048, channels=512, num_classes=19, norm_cfg=norm_cfg))
"""
DATA = """
dataset_type = 'CityscapesDataset'
crop_size = (512, 1024)
data = dict(samples_per_gpu=2, workers_per_gpu=2, train=dict(type='CityscapesDataset', data_root='data/cityscapes'))
"""


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(REPO)  # paths of recipes are shown relative to it


def sentence_of(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    with raises("E-config-version") as caught:
        load_config(path)
    return str(caught.value)


def test_a_config_whose_bases_are_not_there_is_known_by_its_name(tmp_path):
    path = tmp_path / "pspnet_r101-d8_512x1024_80k_cityscapes.py"
    sentence = sentence_of(
        path, "_base_ = ['../_base_/models/pspnet_r50-d8.py', '../_base_/schedules/schedule_80k.py']"
    )
    assert sentence.startswith(f"{path} is a config of MMSegmentation 0.x (its name says so, and its base ")
    assert sentence.endswith("the same model is configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py")


def test_a_config_of_any_name_is_known_by_its_keys_and_its_model_by_what_it_builds(tmp_path):
    sentence = sentence_of(tmp_path / "streets.py", MODEL + DATA + SCHEDULE)
    assert "(it sets data, lr_config, optimizer_config, evaluation, checkpoint_config)" in sentence
    assert sentence.endswith(" is configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py")


def test_keys_in_a_base_count_and_other_models_are_found_in_the_model_zoo(tmp_path):
    (tmp_path / "_base_").mkdir()
    (tmp_path / "_base_/schedule_160k.py").write_text(SCHEDULE)
    sentence = sentence_of(
        tmp_path / "segformer/segformer_mit-b0_512x512_160k_ade20k.py", "_base_ = ['../_base_/schedule_160k.py']"
    )
    assert "(it sets lr_config, " in sentence
    assert sentence.endswith(".mim/configs/segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py")


def test_keys_of_0_in_a_config_of_1_are_named_with_their_keys_in_1(tmp_path):
    recipe = REPO / "configs/toycity/pspnet_r18-d8_1xb4-1000_toycity-128x256.py"
    sentence = sentence_of(
        tmp_path / "mixed.py", f"_base_ = ['{recipe}']\ntrain_cfg = dict(max_iters=9)\nlr_config = dict(policy='poly')"
    )
    assert sentence.endswith("keys of MMSegmentation 0.x have no effect: write param_scheduler instead of lr_config")


def test_an_option_with_a_key_of_0_is_refused_with_the_key_of_1():
    with raises("E-config-version", r"data\.samples_per_gpu.*train_dataloader\.batch_size"):
        load_config(REPO / "configs/toycity/pspnet_r18-d8_1xb4-1000_toycity-128x256.py", ["data.samples_per_gpu=4"])
