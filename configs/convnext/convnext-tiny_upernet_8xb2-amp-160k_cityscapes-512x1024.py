# UPerNet on ConvNeXt-T on Cityscapes: 160,000 iterations, crops of 512x1024, mixed precision (float16), sliding windows
# in the test. It needs the package mmpretrain (pip install -e '.[mmpretrain]').
# The recipe is MMSegmentation's for ADE20K, convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.
#
#   tools/dist_train.sh configs/convnext/convnext-tiny_upernet_8xb2-amp-160k_cityscapes-512x1024.py 8
#
# Published by MMSegmentation: nothing
_base_ = [
    "../_base_/models/upernet_convnext.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_160k.py",
]
custom_imports = dict(imports=["semseg.plugins", "mmpretrain.models"], allow_failed_imports=False)
checkpoint = "https://mmassets.onedl.ai/mmclassification/v0/convnext/downstream/convnext-tiny_3rdparty_32xb128-noema_in1k_20220301-795e9634.pth"
crop_size = (512, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(
    data_preprocessor=data_preprocessor,
    backbone=dict(init_cfg=dict(type="Pretrained", checkpoint=checkpoint, prefix="backbone.")),
    test_cfg=dict(mode="slide", crop_size=crop_size, stride=(341, 682)),  # windows overlap by a third
)
optim_wrapper = dict(
    _delete_=True,
    type="AmpOptimWrapper",
    optimizer=dict(type="AdamW", lr=0.0001, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(decay_rate=0.9, decay_type="stage_wise", num_layers=6),
    constructor="LearningRateDecayOptimizerConstructor",
    loss_scale="dynamic",
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type="PolyLR", eta_min=0.0, power=1.0, begin=1500, end=160000, by_epoch=False),
]
