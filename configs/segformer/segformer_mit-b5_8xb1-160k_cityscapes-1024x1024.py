# SegFormer-B5 on Cityscapes: 160,000 iterations, crops of 1024x1024, sliding windows in the test.
#
#   tools/dist_train.sh configs/segformer/segformer_mit-b5_8xb1-160k_cityscapes-1024x1024.py 8
#
# Published by MMSegmentation (configs/segformer/metafile.yaml; speed: README.md there):
#   mIoU     82.25 %, with --tta 83.48 %
#   memory   18 GB per GPU
#   speed    1.39 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/segformer/segformer_mit-b5_8x1_1024x1024_160k_cityscapes/segformer_mit-b5_8x1_1024x1024_160k_cityscapes_20211206_072934-87a052ec.pth
_base_ = "./segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py"
checkpoint = "https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/segformer/mit_b5_20220624-658746d9.pth"
model = dict(
    backbone=dict(init_cfg=dict(checkpoint=checkpoint), embed_dims=64, num_layers=[3, 6, 40, 3]),
    decode_head=dict(in_channels=[64, 128, 320, 512]),
)
