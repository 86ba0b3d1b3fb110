# DeepLabV3+ with ResNet-50 on Cityscapes: 80,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/deeplabv3plus/deeplabv3plus_r50-d8_4xb2-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/deeplabv3plus/metafile.yaml; speed: README.md there):
#   mIoU     80.09 %, with --tta 81.13 %
#   memory   not published
#   speed    not published
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/deeplabv3plus/deeplabv3plus_r50-d8_512x1024_80k_cityscapes/deeplabv3plus_r50-d8_512x1024_80k_cityscapes_20200606_114049-f9fb496d.pth
_base_ = [
    "../_base_/models/deeplabv3plus_r50-d8.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_80k.py",
]
crop_size = (512, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor)
