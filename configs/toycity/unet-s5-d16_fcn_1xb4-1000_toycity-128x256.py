# UNet on ToyCity, from scratch on a CPU, with a quarter of the channels.
#
#   python tools/train.py configs/toycity/unet-s5-d16_fcn_1xb4-1000_toycity-128x256.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/fcn_unet_s5-d16.py", "../_base_/toycity.py"]
crop_size = (128, 256)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(base_channels=16),
    decode_head=dict(in_channels=16, channels=16, dropout_ratio=0),
    auxiliary_head=dict(in_channels=32, channels=16),
)
