# Semantic FPN-R101 on Cityscapes: 80,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/sem_fpn/fpn_r101_4xb2-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/sem_fpn/metafile.yaml; speed: README.md there):
#   mIoU     75.8 %, with --tta 77.4 %
#   memory   3.9 GB per GPU
#   speed    10.29 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/sem_fpn/fpn_r101_512x1024_80k_cityscapes/fpn_r101_512x1024_80k_cityscapes_20200717_012416-c5800d4c.pth
_base_ = "./fpn_r50_4xb2-80k_cityscapes-512x1024.py"
model = dict(pretrained="open-mmlab://resnet101_v1c", backbone=dict(depth=101))
