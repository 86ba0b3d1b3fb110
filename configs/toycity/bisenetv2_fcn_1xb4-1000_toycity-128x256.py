# BiSeNetV2 on ToyCity, from scratch on a CPU; the branch for details starts with half the channels.
#
#   python tools/train.py configs/toycity/bisenetv2_fcn_1xb4-1000_toycity-128x256.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/bisenetv2.py", "../_base_/toycity.py"]
crop_size = (128, 256)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(detail_channels=(32, 32, 128)),
    decode_head=dict(channels=128, dropout_ratio=0),
)
