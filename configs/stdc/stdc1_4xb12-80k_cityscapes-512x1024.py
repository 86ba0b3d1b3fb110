# STDC1, from scratch on Cityscapes: 80,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/stdc/stdc1_4xb12-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/stdc/metafile.yaml; speed: README.md there):
#   mIoU     71.82 %, with --tta 73.89 %
#   memory   7.15 GB per GPU
#   speed    23.06 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/stdc/stdc1_512x1024_80k_cityscapes/stdc1_512x1024_80k_cityscapes_20220224_073048-74e6920a.pth
_base_ = [
    "../_base_/models/stdc.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_80k.py",
]
crop_size = (512, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor)
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, start_factor=0.1, begin=0, end=1000),
    dict(type="PolyLR", eta_min=1e-4, power=0.9, begin=1000, end=80000, by_epoch=False),
]
train_dataloader = dict(batch_size=12, num_workers=4)
