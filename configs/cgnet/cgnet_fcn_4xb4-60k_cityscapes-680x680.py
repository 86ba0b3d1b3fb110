# CGNet on Cityscapes: 60,000 iterations, crops of 680x680.
# As in MMSegmentation, a GPU has 8 images per step, although the name says 4xb4: the rate is for a batch of 4 x 8.
#
#   tools/dist_train.sh configs/cgnet/cgnet_fcn_4xb4-60k_cityscapes-680x680.py 4
#
# Published by MMSegmentation (configs/cgnet/metafile.yaml; speed: README.md there):
#   mIoU     65.63 %, with --tta 68.04 %
#   memory   7.5 GB per GPU
#   speed    30.51 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/cgnet/cgnet_680x680_60k_cityscapes/cgnet_680x680_60k_cityscapes_20201101_110253-4c0b2f2d.pth
_base_ = "./cgnet_fcn_4xb8-60k_cityscapes-512x1024.py"
crop_size = (680, 680)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadTrainIds"),
    dict(type="RandomResize", scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
train_dataloader = dict(num_workers=4, dataset=dict(pipeline=train_pipeline))
auto_scale_lr = dict(enable=False, base_batch_size=32)
