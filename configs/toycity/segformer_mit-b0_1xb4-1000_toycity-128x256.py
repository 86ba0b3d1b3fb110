# SegFormer-B0 on ToyCity, from scratch on a CPU, with a head of a quarter of the channels.
#
#   python tools/train.py configs/toycity/segformer_mit-b0_1xb4-1000_toycity-128x256.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/segformer_mit-b0.py", "../_base_/toycity.py"]
crop_size = (128, 256)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(drop_path_rate=0.0),
    decode_head=dict(channels=64, dropout_ratio=0),
)
optim_wrapper = dict(optimizer=dict(lr=0.001))
