# Semantic FPN on CamVid, from scratch: three stages of a ResNet-18 of three quarters of the width, with features at 1/4
# of the image.
#
#   python tools/train.py configs/camvid/fpn_r18_1xb4-1600_camvid-320x320.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/fpn_r50.py", "../_base_/camvid.py", "../_base_/cross_entropy_and_lovasz.py"]
crop_size = (320, 320)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
    pretrained=None,
    backbone=dict(
        depth=18,
        base_channels=48,
        stem_channels=48,
        num_stages=3,
        out_indices=(0, 1, 2),
        dilations=(1, 1, 1),
        strides=(1, 2, 2),
    ),
    neck=dict(in_channels=[48, 96, 192], out_channels=64, num_outs=3),
    decode_head=dict(
        in_channels=[64, 64, 64],
        in_index=[0, 1, 2],
        feature_strides=[4, 8, 16],
        channels=64,
        num_classes=11,
        loss_decode={{_base_.cross_entropy_and_lovasz}},
    ),
)
