# PIDNet-S on CamVid, from scratch, with its own four losses. OHEM keeps the same share of the pixels of a batch as the
# recipe for Cityscapes, which keeps 131072 of 6 crops of 1024x1024.
#
#   python tools/train.py configs/camvid/pidnet-s_1xb4-1600_camvid-320x320.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/pidnet-s.py", "../_base_/camvid.py"]
crop_size = (320, 320)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(init_cfg=None),
    decode_head=dict(
        num_classes=11,
        loss_decode=[
            dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=0.4),
            dict(type="OhemCrossEntropy", thres=0.9, min_kept=8533, loss_weight=1.0),
            dict(type="BoundaryLoss", loss_weight=20.0),
            dict(type="OhemCrossEntropy", thres=0.9, min_kept=8533, loss_weight=1.0),
        ],
    ),
)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadTrainIds"),
    dict(type="RandomResize", scale=(480, 360), ratio_range=(0.8, 1.25), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="GenerateEdge", edge_width=4),
    dict(type="PackSegInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
