# ToyCity with four parts that are not in MMSegmentation: a backbone, a loss, a metric and a transform. Their files lie
# beside this config, so `custom_imports` finds them by their names.
#
#   python tools/train.py examples/custom/own_parts_toycity.py
_base_ = "../../configs/toycity/pspnet_r18-d8_1xb4-1000_toycity-128x256.py"
custom_imports = dict(imports=["small_backbone", "edge_loss", "kappa_metric", "fog"])

model = dict(
    backbone=dict(_delete_=True, type="SmallBackbone", norm_cfg=dict(type="SyncBN", requires_grad=True)),
    decode_head=dict(in_channels=128, in_index=3, loss_decode=dict(_delete_=True, type="EdgeWeightedLoss")),
    auxiliary_head=dict(in_channels=96, in_index=2),
)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadTrainIds"),
    dict(type="RandomResize", scale=(320, 160), ratio_range=(0.8, 1.25), keep_ratio=True),
    dict(type="RandomCrop", crop_size=(128, 256), cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="RandomFog", prob=0.3),
    dict(type="PackSegInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_evaluator = [dict(type="ConfusionMetric", iou_metrics=["mIoU"]), dict(type="KappaMetric")]
test_evaluator = val_evaluator
