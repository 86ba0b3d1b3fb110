# PIDNet-S on Cityscapes: 120,000 iterations, crops of 1024x1024.
#
#   tools/dist_train.sh configs/pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py 2
#
# Published by MMSegmentation (configs/pidnet/metafile.yaml; speed: README.md there):
#   mIoU     78.74 %, with --tta 80.87 %
#   memory   3.38 GB per GPU
#   speed    80.82 images/s on one A100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes/pidnet-s_2xb6-120k_1024x1024-cityscapes_20230302_191700-bb8e3bcc.pth
_base_ = [
    "../_base_/models/pidnet-s.py",
    "../_base_/datasets/cityscapes_1024x1024.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_120k.py",
]
checkpoint = "https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/pidnet/pidnet-s_imagenet1k_20230306-715e6273.pth"
crop_size = (1024, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(
    data_preprocessor=data_preprocessor, backbone=dict(init_cfg=dict(type="Pretrained", checkpoint=checkpoint))
)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadTrainIds"),
    dict(type="RandomResize", scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
    dict(type="GenerateEdge", edge_width=4),  # the target of the branch for boundaries
    dict(type="PackSegInputs"),
]
train_dataloader = dict(batch_size=6, dataset=dict(pipeline=train_pipeline))
