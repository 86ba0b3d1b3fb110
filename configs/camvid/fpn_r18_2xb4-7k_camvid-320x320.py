# The long training of Semantic FPN on CamVid, from scratch: two processes of one CPU core each. Many passes over the 367
# photographs overfit without the wider range of scales, the other colours and the stronger weight decay. Half of the
# crops are around a rare class.
#
#   tools/dist_train.sh configs/camvid/fpn_r18_2xb4-7k_camvid-320x320.py 2
#
# Published by MMSegmentation: nothing
_base_ = "./fpn_r18_1xb4-1600_camvid-320x320.py"
num_iters = 7000
crop_size = (320, 320)  # height, width
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadTrainIds"),
    dict(type="RandomResize", scale=(480, 360), ratio_range=(0.75, 1.75), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
    dict(type="PackSegInputs"),
]
train_set = dict(
    type={{_base_.dataset_type}}, dataset_file={{_base_.dataset_file}}, split="train", pipeline=train_pipeline
)
train_dataloader = dict(dataset=dict(_delete_=True, type="RareClassDataset", share=0.5, dataset=train_set))
optim_wrapper = dict(optimizer=dict(weight_decay=0.05))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=num_iters // 20, by_epoch=False),
    dict(type="PolyLR", eta_min=1e-5, power=0.9, begin=num_iters // 20, end=num_iters, by_epoch=False),
]
train_cfg = dict(max_iters=num_iters, val_interval=num_iters // 7)
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=num_iters // 7))
