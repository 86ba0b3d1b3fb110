# Semantic FPN on ToyCity, from scratch on a CPU: a ResNet-18 of half the width, with features at 1/4 of the image.
#
#   python tools/train.py configs/toycity/fpn_r18_1xb4-1000_toycity-128x256.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/fpn_r50.py", "../_base_/toycity.py"]
crop_size = (128, 256)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
    pretrained=None,
    backbone=dict(depth=18, base_channels=32, stem_channels=32),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64),
    decode_head=dict(in_channels=[64, 64, 64, 64], channels=64, dropout_ratio=0),
)
