# PSPNet-R101 on Cityscapes: 40,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/pspnet/pspnet_r101-d8_4xb2-40k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/pspnet/metafile.yaml; speed: README.md there):
#   mIoU     78.34 %, with --tta 79.74 %
#   memory   9.6 GB per GPU
#   speed    2.68 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/pspnet/pspnet_r101-d8_512x1024_40k_cityscapes/pspnet_r101-d8_512x1024_40k_cityscapes_20200604_232751-467e7cf4.pth
_base_ = [
    "../_base_/models/pspnet_r101-d8.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_40k.py",
]
crop_size = (512, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor)
