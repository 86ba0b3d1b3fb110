# PSPNet on CamVid, from scratch: three stages of a ResNet-18 of half the width, as in configs/toycity.
#
#   python tools/train.py configs/camvid/pspnet_r18-d8_1xb4-1600_camvid-320x320.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/pspnet_r101-d8.py", "../_base_/camvid.py", "../_base_/cross_entropy_and_lovasz.py"]
crop_size = (320, 320)  # height, width
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
    decode_head=dict(
        in_channels=128,
        in_index=2,
        channels=64,
        dropout_ratio=0,
        num_classes=11,
        loss_decode={{_base_.cross_entropy_and_lovasz}},
    ),
    auxiliary_head=dict(in_channels=64, in_index=1, channels=32, num_classes=11),
)
