# UPerNet on Swin on ToyCity, from scratch on a CPU: a third of the width of Swin-T, and two blocks in each stage.
#
#   python tools/train.py configs/toycity/swin-tiny_upernet_1xb4-1000_toycity-128x256.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/upernet_swin.py", "../_base_/toycity.py"]
crop_size = (128, 256)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(embed_dims=32, depths=[2, 2, 2, 2], num_heads=[1, 2, 4, 8], drop_path_rate=0.0),
    decode_head=dict(in_channels=[32, 64, 128, 256], channels=64, dropout_ratio=0),
    auxiliary_head=dict(in_channels=128, channels=32),
)
optim_wrapper = dict(optimizer=dict(lr=0.001))
