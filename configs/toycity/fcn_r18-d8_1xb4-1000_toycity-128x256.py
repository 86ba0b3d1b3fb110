# FCN on ToyCity, from scratch on a CPU: three stages of a ResNet-18 of half the width,
# with features at 1/8 of the image.
#
#   python tools/train.py configs/toycity/fcn_r18-d8_1xb4-1000_toycity-128x256.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/fcn_r50-d8.py", "../_base_/toycity.py"]
crop_size = (128, 256)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
    pretrained=None,
    backbone=dict(
        depth=18,
        base_channels=32,
        stem_channels=32,
        num_stages=3,
        out_indices=(0, 1, 2),
        dilations=(1, 1, 1),
        strides=(1, 2, 1),
    ),
    decode_head=dict(in_channels=128, in_index=2, channels=64, dropout_ratio=0),
    auxiliary_head=dict(in_channels=64, in_index=1, channels=32),
)
