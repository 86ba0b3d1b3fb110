# PSPNet-R101 on Cityscapes: the recipe of MMSegmentation's model zoo.
#
#   tools/dist_train.sh configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py 4
#
# Published results: mIoU 79.76 % on val (81.01 % with --tta), 9.6 GB per GPU,
# about 18 hours on four V100. The learning rate is for a batch of 4 GPUs x 2 images.
_base_ = [
    "../_base_/models/pspnet_r101-d8.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_80k.py",
]
crop_size = (512, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor)
