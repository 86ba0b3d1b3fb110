# CamVid at 480x360, from the pictures of that size or the original ones of 960x720; imported by
# `tools/dataset.py import camvid SOURCE --out data/camvid`. Predictions are evaluated at full size, on val. Papers report
# the published test split: `--cfg-options test_dataloader.dataset.split=test`.
dataset_type = "FolderSegDataset"
dataset_file = "data/camvid/dataset.yaml"
crop_size = (320, 320)  # height, width
scale = (480, 360)  # width, height
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadTrainIds"),
    dict(type="RandomResize", scale=scale, ratio_range=(0.8, 1.25), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=scale, keep_ratio=True),
    dict(type="LoadTrainIds"),
    dict(type="PackSegInputs"),
]
img_scales = [(360, 270), scale, (600, 450)]  # width, height: around the scale of the test
tta_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(
        type="TestTimeAug",
        transforms=[
            [dict(type="Resize", scale=s, keep_ratio=True) for s in img_scales],
            [
                dict(type="RandomFlip", prob=0.0, direction="horizontal"),
                dict(type="RandomFlip", prob=1.0, direction="horizontal"),
            ],
            [dict(type="LoadTrainIds")],
            [dict(type="PackSegInputs")],
        ],
    ),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    dataset=dict(type=dataset_type, dataset_file=dataset_file, split="train", pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(type=dataset_type, dataset_file=dataset_file, split="val", pipeline=test_pipeline),
)
test_dataloader = val_dataloader

val_evaluator = dict(type="ConfusionMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
