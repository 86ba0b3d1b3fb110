# UNet on CamVid, from scratch, with a quarter of the channels of the model zoo.
#
#   python tools/train.py configs/camvid/unet-s5-d16_fcn_1xb4-1600_camvid-320x320.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/fcn_unet_s5-d16.py", "../_base_/camvid.py", "../_base_/cross_entropy_and_lovasz.py"]
crop_size = (320, 320)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size, test_cfg=dict(size_divisor=16)),  # 360 is padded to 368
    backbone=dict(base_channels=16),
    decode_head=dict(
        in_channels=16, channels=16, dropout_ratio=0, num_classes=11, loss_decode={{_base_.cross_entropy_and_lovasz}}
    ),
    auxiliary_head=dict(in_channels=32, channels=16, num_classes=11),
    test_cfg=dict(_delete_=True, mode="whole"),
)
