# DDRNet-23 on Cityscapes: 120,000 iterations, crops of 1024x1024.
#
#   tools/dist_train.sh configs/ddrnet/ddrnet_23_in1k-pre_2xb6-120k_cityscapes-1024x1024.py 2
#
# Published by MMSegmentation (configs/ddrnet/metafile.yaml; speed: README.md there):
#   mIoU     79.99 %, with --tta 81.71 %
#   memory   7.26 GB per GPU
#   speed    33.41 images/s on one A100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/ddrnet/ddrnet_23_in1k-pre_2xb6-120k_cityscapes-1024x1024/ddrnet_23_in1k-pre_2xb6-120k_cityscapes-1024x1024_20230425_162633-81601db0.pth
_base_ = "./ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py"
checkpoint = "https://mmassets.onedl.ai/mmsegmentation/v0.5/ddrnet/pretrain/ddrnet23-in1kpre_3rdparty-9ca29f62.pth"
model = dict(
    backbone=dict(channels=64, init_cfg=dict(checkpoint=checkpoint)),
    decode_head=dict(in_channels=64 * 4, channels=128),
)
