# DeepLabV3+ on CamVid, from scratch: a ResNet-18 of half the width, with the dilations of the model zoo.
#
#   python tools/train.py configs/camvid/deeplabv3plus_r18-d8_1xb4-1600_camvid-320x320.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/deeplabv3plus_r50-d8.py", "../_base_/camvid.py", "../_base_/cross_entropy_and_lovasz.py"]
crop_size = (320, 320)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
    pretrained=None,
    backbone=dict(depth=18, base_channels=32, stem_channels=32),
    decode_head=dict(
        in_channels=256,
        channels=64,
        c1_in_channels=32,
        c1_channels=12,
        dropout_ratio=0,
        num_classes=11,
        loss_decode={{_base_.cross_entropy_and_lovasz}},
    ),
    auxiliary_head=dict(in_channels=128, channels=32, num_classes=11),
)
