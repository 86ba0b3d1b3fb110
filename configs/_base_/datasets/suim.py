# SUIM; configs/datasets/suim.yaml describes the files and classes. Most photographs are 640x480.
dataset_type = "FolderSegDataset"
dataset_file = "configs/datasets/suim.yaml"
crop_size = (512, 512)  # height, width
scale = (640, 480)  # width, height
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadTrainIds"),
    dict(type="RandomResize", scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=scale, keep_ratio=True),
    dict(type="LoadTrainIds"),
    dict(type="PackSegInputs"),
]
img_scales = [(320, 240), (480, 360), scale, (800, 600), (960, 720), (1120, 840)]  # width, height
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
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    dataset=dict(type=dataset_type, dataset_file=dataset_file, split="train", pipeline=train_pipeline),
)
# SUIM has no validation split, so the best checkpoint is chosen on the test photographs
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(type=dataset_type, dataset_file=dataset_file, split="test", pipeline=test_pipeline),
)
test_dataloader = val_dataloader

val_evaluator = dict(type="ConfusionMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
