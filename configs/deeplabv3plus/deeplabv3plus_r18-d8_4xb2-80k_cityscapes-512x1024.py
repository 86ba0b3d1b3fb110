# DeepLabV3+ with ResNet-18 on Cityscapes: 80,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/deeplabv3plus/metafile.yaml; speed: README.md there):
#   mIoU     76.89 %, with --tta 78.76 %
#   memory   2.2 GB per GPU
#   speed    14.27 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/deeplabv3plus/deeplabv3plus_r18-d8_512x1024_80k_cityscapes/deeplabv3plus_r18-d8_512x1024_80k_cityscapes_20201226_080942-cff257fe.pth
_base_ = "./deeplabv3plus_r50-d8_4xb2-80k_cityscapes-512x1024.py"
model = dict(
    pretrained="open-mmlab://resnet18_v1c",
    backbone=dict(depth=18),
    decode_head=dict(in_channels=512, channels=128, c1_in_channels=64, c1_channels=12),
    auxiliary_head=dict(in_channels=256, channels=64),
)
