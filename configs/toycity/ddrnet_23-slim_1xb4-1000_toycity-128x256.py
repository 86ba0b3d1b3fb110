# DDRNet-23-slim on ToyCity, from scratch on a CPU. OHEM keeps at least 131072 pixels,
# which is the whole batch here.
#
#   python tools/train.py configs/toycity/ddrnet_23-slim_1xb4-1000_toycity-128x256.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/ddrnet_23-slim.py", "../_base_/toycity.py"]
crop_size = (128, 256)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
)
