# Cityscapes with crops of 1024x1024.
_base_ = "./cityscapes.py"
crop_size = (1024, 1024)  # height, width
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadTrainIds"),
    dict(type="RandomResize", scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
    dict(type="PackSegInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
