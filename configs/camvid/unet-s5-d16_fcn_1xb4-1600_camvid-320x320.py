# UNet on CamVid, from scratch, with a quarter of the channels of the model zoo.
#
#   python tools/train.py configs/camvid/unet-s5-d16_fcn_1xb4-1600_camvid-320x320.py
#
# Published by MMSegmentation: nothing
_base_ = [
    "../_base_/models/fcn_unet_s5-d16.py",
    "../_base_/datasets/camvid.py",
    "../_base_/cpu_runtime.py",
    "../_base_/schedules/schedule_1600_adamw.py",
]
crop_size = (320, 320)  # height, width
loss_decode = [  # the cross entropy, and the Lovasz loss of the whole batch
    dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
    dict(type="LovaszLoss", per_image=False, reduction="none", loss_weight=1.0),
]
model = dict(
    data_preprocessor=dict(size=crop_size, test_cfg=dict(size_divisor=16)),  # 360 is padded to 368
    backbone=dict(base_channels=16),
    decode_head=dict(in_channels=16, channels=16, dropout_ratio=0, num_classes=11, loss_decode=loss_decode),
    auxiliary_head=dict(in_channels=32, channels=16, num_classes=11),
    test_cfg=dict(_delete_=True, mode="whole"),
)
