# Semantic FPN-R50 on Cityscapes: 80,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/sem_fpn/fpn_r50_4xb2-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/sem_fpn/metafile.yaml; speed: README.md there):
#   mIoU     74.52 %, with --tta 76.08 %
#   memory   2.8 GB per GPU
#   speed    13.54 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/sem_fpn/fpn_r50_512x1024_80k_cityscapes/fpn_r50_512x1024_80k_cityscapes_20200717_021437-94018a0d.pth
_base_ = [
    "../_base_/models/fpn_r50.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_80k.py",
]
crop_size = (512, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor)
