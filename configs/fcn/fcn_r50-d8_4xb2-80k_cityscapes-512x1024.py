# FCN-R50 on Cityscapes: 80,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/fcn/fcn_r50-d8_4xb2-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/fcn/metafile.yaml; speed: README.md there):
#   mIoU     73.61 %, with --tta 74.24 %
#   memory   not published
#   speed    not published
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/fcn/fcn_r50-d8_512x1024_80k_cityscapes/fcn_r50-d8_512x1024_80k_cityscapes_20200606_113019-03aa804d.pth
_base_ = [
    "../_base_/models/fcn_r50-d8.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_80k.py",
]
crop_size = (512, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor)
