# UNet with the head of PSPNet on Cityscapes: 160,000 iterations, crops of 512x1024.
# The model is that of MMSegmentation's configs for DRIVE, the recipe that of its UNet with the head of FCN.
#
#   tools/dist_train.sh configs/unet/unet-s5-d16_pspnet_4xb4-160k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation: nothing
_base_ = [
    "../_base_/models/pspnet_unet_s5-d16.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_160k.py",
]
crop_size = (512, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor)
train_dataloader = dict(batch_size=4, num_workers=4)
