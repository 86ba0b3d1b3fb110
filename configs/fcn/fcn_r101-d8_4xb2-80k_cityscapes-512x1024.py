# FCN-R101 on Cityscapes: 80,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/fcn/fcn_r101-d8_4xb2-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/fcn/metafile.yaml; speed: README.md there):
#   mIoU     75.13 %, with --tta 75.94 %
#   memory   not published
#   speed    not published
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/fcn/fcn_r101-d8_512x1024_80k_cityscapes/fcn_r101-d8_512x1024_80k_cityscapes_20200606_113038-3fb937eb.pth
_base_ = "./fcn_r50-d8_4xb2-80k_cityscapes-512x1024.py"
model = dict(pretrained="open-mmlab://resnet101_v1c", backbone=dict(depth=101))
