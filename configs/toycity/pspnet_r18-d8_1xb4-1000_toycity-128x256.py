# PSPNet on ToyCity, trained from scratch in minutes on two CPU cores. It uses the bases of the Cityscapes config, with
# smaller settings for a demo: five eighths of the resolution, so that a crop covers most of a street; three stages of a
# ResNet-18 of half the width, with features at 1/8 of the image; 1000 iterations.
#
#   python tools/train.py configs/toycity/pspnet_r18-d8_1xb4-1000_toycity-128x256.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/pspnet_r101-d8.py", "../_base_/toycity.py"]
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
