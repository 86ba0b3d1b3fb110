# FCN-R18 on Cityscapes: 80,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/fcn/metafile.yaml; speed: README.md there):
#   mIoU     71.11 %, with --tta 72.91 %
#   memory   1.7 GB per GPU
#   speed    14.65 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/fcn/fcn_r18-d8_512x1024_80k_cityscapes/fcn_r18-d8_512x1024_80k_cityscapes_20201225_021327-6c50f8b4.pth
_base_ = "./fcn_r50-d8_4xb2-80k_cityscapes-512x1024.py"
model = dict(
    pretrained="open-mmlab://resnet18_v1c",
    backbone=dict(depth=18),
    decode_head=dict(in_channels=512, channels=128),
    auxiliary_head=dict(in_channels=256, channels=64),
)
