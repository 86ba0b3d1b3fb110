# DeepLabV3+ with ResNet-101 on Cityscapes: 80,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/deeplabv3plus/deeplabv3plus_r101-d8_4xb2-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/deeplabv3plus/metafile.yaml; speed: README.md there):
#   mIoU     80.97 %, with --tta 82.03 %
#   memory   not published
#   speed    not published
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/deeplabv3plus/deeplabv3plus_r101-d8_512x1024_80k_cityscapes/deeplabv3plus_r101-d8_512x1024_80k_cityscapes_20200606_114143-068fcfe9.pth
_base_ = "./deeplabv3plus_r50-d8_4xb2-80k_cityscapes-512x1024.py"
model = dict(pretrained="open-mmlab://resnet101_v1c", backbone=dict(depth=101))
