# PIDNet-L on Cityscapes: 120,000 iterations, crops of 1024x1024.
#
#   tools/dist_train.sh configs/pidnet/pidnet-l_2xb6-120k_1024x1024-cityscapes.py 2
#
# Published by MMSegmentation (configs/pidnet/metafile.yaml; speed: README.md there):
#   mIoU     80.89 %, with --tta 82.37 %
#   memory   5.83 GB per GPU
#   speed    60.06 images/s on one A100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/pidnet/pidnet-l_2xb6-120k_1024x1024-cityscapes/pidnet-l_2xb6-120k_1024x1024-cityscapes_20230303_114514-0783ca6b.pth
_base_ = "./pidnet-s_2xb6-120k_1024x1024-cityscapes.py"
checkpoint = "https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/pidnet/pidnet-l_imagenet1k_20230306-67889109.pth"
model = dict(
    backbone=dict(
        channels=64,
        ppm_channels=112,
        num_stem_blocks=3,
        num_branch_blocks=4,
        init_cfg=dict(checkpoint=checkpoint),
    ),
    decode_head=dict(in_channels=256, channels=256),
)
