# PIDNet-M on Cityscapes: 120,000 iterations, crops of 1024x1024.
#
#   tools/dist_train.sh configs/pidnet/pidnet-m_2xb6-120k_1024x1024-cityscapes.py 2
#
# Published by MMSegmentation (configs/pidnet/metafile.yaml; speed: README.md there):
#   mIoU     80.22 %, with --tta 82.05 %
#   memory   5.14 GB per GPU
#   speed    71.98 images/s on one A100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/pidnet/pidnet-m_2xb6-120k_1024x1024-cityscapes/pidnet-m_2xb6-120k_1024x1024-cityscapes_20230301_143452-f9bcdbf3.pth
_base_ = "./pidnet-s_2xb6-120k_1024x1024-cityscapes.py"
checkpoint = "https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/pidnet/pidnet-m_imagenet1k_20230306-39893c52.pth"
model = dict(
    backbone=dict(channels=64, init_cfg=dict(checkpoint=checkpoint)),
    decode_head=dict(in_channels=256),
)
