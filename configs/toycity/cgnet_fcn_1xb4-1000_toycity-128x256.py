# CGNet on ToyCity, from scratch on a CPU.
#
#   python tools/train.py configs/toycity/cgnet_fcn_1xb4-1000_toycity-128x256.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/cgnet.py", "../_base_/toycity.py"]
crop_size = (128, 256)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
)
