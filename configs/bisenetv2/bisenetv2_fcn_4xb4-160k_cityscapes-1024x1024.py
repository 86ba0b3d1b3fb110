# BiSeNetV2 on Cityscapes: 160,000 iterations, crops of 1024x1024.
#
#   tools/dist_train.sh configs/bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py 4
#
# Published by MMSegmentation (configs/bisenetv2/metafile.yaml; speed: README.md there):
#   mIoU     73.21 %, with --tta 75.74 %
#   memory   7.64 GB per GPU
#   speed    31.77 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/bisenetv2/bisenetv2_fcn_4x4_1024x1024_160k_cityscapes/bisenetv2_fcn_4x4_1024x1024_160k_cityscapes_20210902_015551-bcf10f09.pth
_base_ = [
    "../_base_/models/bisenetv2.py",
    "../_base_/datasets/cityscapes_1024x1024.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_160k.py",
]
crop_size = (1024, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor)
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, start_factor=0.1, begin=0, end=1000),
    dict(type="PolyLR", eta_min=1e-4, power=0.9, begin=1000, end=160000, by_epoch=False),
]
train_dataloader = dict(batch_size=4, num_workers=4)
