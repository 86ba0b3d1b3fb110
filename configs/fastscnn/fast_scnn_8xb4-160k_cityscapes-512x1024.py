# Fast-SCNN on Cityscapes: 160,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py 8
#
# Published by MMSegmentation (configs/fastscnn/metafile.yaml; speed: README.md there):
#   mIoU     70.96 %, with --tta 72.65 %
#   memory   3.3 GB per GPU
#   speed    56.45 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/fast_scnn/fast_scnn_lr0.12_8x4_160k_cityscapes/fast_scnn_lr0.12_8x4_160k_cityscapes_20210630_164853-0cec9937.pth
_base_ = [
    "../_base_/models/fast_scnn.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_160k.py",
]
crop_size = (512, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor)
optim_wrapper = dict(optimizer=dict(lr=0.12, weight_decay=4e-5))
train_dataloader = dict(batch_size=4, num_workers=4)
