# PSPNet on ToyCity, trained from scratch in minutes on two CPU cores. It uses the bases of the Cityscapes config, with
# smaller settings for a demo: five eighths of the resolution, so that a crop covers most of a street; three stages of a
# ResNet-18 of half the width, with features at 1/8 of the image; 1000 iterations.
#
#   python tools/train.py configs/toycity/pspnet_r18-d8_1xb4-1000_toycity-128x256.py
_base_ = [
    "../_base_/models/pspnet_r101-d8.py",
    "../_base_/datasets/toycity.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_80k.py",
]
crop_size = (128, 256)  # height, width
num_iters = 1000
model = dict(
    data_preprocessor=dict(size=crop_size),
    pretrained=None,
    backbone=dict(
        depth=18,
        base_channels=32,
        stem_channels=32,
        num_stages=3,
        out_indices=(0, 1, 2),
        dilations=(1, 1, 1),
        strides=(1, 2, 1),
    ),
    decode_head=dict(in_channels=128, in_index=2, channels=64, dropout_ratio=0),
    auxiliary_head=dict(in_channels=64, in_index=1, channels=32),
)
# when training from scratch with few iterations, AdamW gives better results than SGD
optim_wrapper = dict(
    type="Bf16OptimWrapper", enabled="auto", optimizer=dict(_delete_=True, type="AdamW", lr=0.005, weight_decay=0.01)
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=num_iters // 20, by_epoch=False),
    dict(type="PolyLR", eta_min=1e-5, power=0.9, begin=num_iters // 20, end=num_iters, by_epoch=False),
]
train_cfg = dict(max_iters=num_iters, val_interval=num_iters // 4)
default_hooks = dict(logger=dict(interval=25), checkpoint=dict(interval=num_iters // 4))
custom_hooks = [
    dict(type="ContactSheetHook", num_samples=8),
    dict(type="PanelHook", num_images=4),
    dict(type="ProgressBarHook"),
    dict(type="ChannelsLastHook"),
]
