# SegFormer-B0 on Cityscapes: 160,000 iterations, crops of 1024x1024, sliding windows in the test.
#
#   tools/dist_train.sh configs/segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py 8
#
# Published by MMSegmentation (configs/segformer/metafile.yaml; speed: README.md there):
#   mIoU     76.54 %, with --tta 78.22 %
#   memory   3.64 GB per GPU
#   speed    4.74 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/segformer/segformer_mit-b0_8x1_1024x1024_160k_cityscapes/segformer_mit-b0_8x1_1024x1024_160k_cityscapes_20211208_101857-e7f88502.pth
_base_ = [
    "../_base_/models/segformer_mit-b0.py",
    "../_base_/datasets/cityscapes_1024x1024.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_160k.py",
]
checkpoint = "https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/segformer/mit_b0_20220624-7e0fe6dd.pth"
crop_size = (1024, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(
    data_preprocessor=data_preprocessor,
    backbone=dict(init_cfg=dict(type="Pretrained", checkpoint=checkpoint)),
    test_cfg=dict(mode="slide", crop_size=(1024, 1024), stride=(768, 768)),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=0.00006, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(
        custom_keys=dict(pos_block=dict(decay_mult=0.0), norm=dict(decay_mult=0.0), head=dict(lr_mult=10.0))
    ),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type="PolyLR", eta_min=0.0, power=1.0, begin=1500, end=160000, by_epoch=False),
]
train_dataloader = dict(batch_size=1, num_workers=4)
