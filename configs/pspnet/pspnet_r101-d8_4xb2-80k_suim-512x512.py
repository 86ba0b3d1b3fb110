# PSPNet-R101 on SUIM (underwater photographs): 80,000 iterations, crops of 512x512.
#
#   tools/dist_train.sh configs/pspnet/pspnet_r101-d8_4xb2-80k_suim-512x512.py 4
#
# Published by MMSegmentation: nothing
_base_ = [
    "../_base_/models/pspnet_r101-d8.py",
    "../_base_/datasets/suim.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_80k.py",
]
crop_size = (512, 512)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor, decode_head=dict(num_classes=8), auxiliary_head=dict(num_classes=8))
