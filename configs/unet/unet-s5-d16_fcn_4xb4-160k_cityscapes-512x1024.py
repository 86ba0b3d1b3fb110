# UNet with the head of FCN on Cityscapes: 160,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/unet/unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/unet/metafile.yaml; speed: README.md there):
#   mIoU     69.1 %, with --tta 71.05 %
#   memory   17.91 GB per GPU
#   speed    3.05 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/unet/fcn_unet_s5-d16_4x4_512x1024_160k_cityscapes/fcn_unet_s5-d16_4x4_512x1024_160k_cityscapes_20211210_145204-6860854e.pth
_base_ = [
    "../_base_/models/fcn_unet_s5-d16.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_160k.py",
]
crop_size = (512, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor)
train_dataloader = dict(batch_size=4, num_workers=4)
