# DDRNet-23-slim on Cityscapes: 120,000 iterations, crops of 1024x1024.
#
#   tools/dist_train.sh configs/ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py 2
#
# Published by MMSegmentation (configs/ddrnet/metafile.yaml; speed: README.md there):
#   mIoU     77.84 %, with --tta 80.15 %
#   memory   1.7 GB per GPU
#   speed    85.85 images/s on one A100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024_20230426_145312-6a5e5174.pth
_base_ = [
    "../_base_/models/ddrnet_23-slim.py",
    "../_base_/datasets/cityscapes_1024x1024.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_120k.py",
]
checkpoint = "https://mmassets.onedl.ai/mmsegmentation/v0.5/ddrnet/pretrain/ddrnet23s-in1kpre_3rdparty-1ccac5b1.pth"
crop_size = (1024, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(
    data_preprocessor=data_preprocessor, backbone=dict(init_cfg=dict(type="Pretrained", checkpoint=checkpoint))
)
train_dataloader = dict(batch_size=6, num_workers=4)
