# UPerNet on Swin-T on Cityscapes: 160,000 iterations, crops of 512x1024.
# The recipe is MMSegmentation's for ADE20K, swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.
#
#   tools/dist_train.sh configs/swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_cityscapes-512x1024.py 8
#
# Published by MMSegmentation: nothing
_base_ = [
    "../_base_/models/upernet_swin.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_160k.py",
]
checkpoint = (
    "https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/swin/swin_tiny_patch4_window7_224_20220317-1cdeb081.pth"
)
crop_size = (512, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(
    data_preprocessor=data_preprocessor, backbone=dict(init_cfg=dict(type="Pretrained", checkpoint=checkpoint))
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=0.00006, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(
        custom_keys=dict(
            absolute_pos_embed=dict(decay_mult=0.0),
            relative_position_bias_table=dict(decay_mult=0.0),
            norm=dict(decay_mult=0.0),
        )
    ),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type="PolyLR", eta_min=0.0, power=1.0, begin=1500, end=160000, by_epoch=False),
]
