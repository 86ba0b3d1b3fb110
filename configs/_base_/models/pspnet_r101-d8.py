# PSPNet (Zhao et al., CVPR 2017) on ResNet-101.
_base_ = "./pspnet_r50-d8.py"
model = dict(pretrained="open-mmlab://resnet101_v1c", backbone=dict(depth=101))
