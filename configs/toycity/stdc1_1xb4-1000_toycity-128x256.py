# STDC1 on ToyCity, from scratch on a CPU.
#
#   python tools/train.py configs/toycity/stdc1_1xb4-1000_toycity-128x256.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/stdc.py", "../_base_/toycity.py"]
crop_size = (128, 256)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
    decode_head=dict(dropout_ratio=0),
)
