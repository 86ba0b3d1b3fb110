# Fast-SCNN on ToyCity, from scratch on a CPU.
#
#   python tools/train.py configs/toycity/fast_scnn_1xb4-1000_toycity-128x256.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/fast_scnn.py", "../_base_/toycity.py"]
crop_size = (128, 256)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
)
