# SegFormer-B1 on Cityscapes: 160,000 iterations, crops of 1024x1024, sliding windows in the test.
#
#   tools/dist_train.sh configs/segformer/segformer_mit-b1_8xb1-160k_cityscapes-1024x1024.py 8
#
# Published by MMSegmentation (configs/segformer/metafile.yaml; speed: README.md there):
#   mIoU     78.56 %, with --tta 79.73 %
#   memory   4.49 GB per GPU
#   speed    4.3 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/segformer/segformer_mit-b1_8x1_1024x1024_160k_cityscapes/segformer_mit-b1_8x1_1024x1024_160k_cityscapes_20211208_064213-655c7b3f.pth
_base_ = "./segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py"
checkpoint = "https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/segformer/mit_b1_20220624-02e5a6a1.pth"
model = dict(
    backbone=dict(init_cfg=dict(checkpoint=checkpoint), embed_dims=64),
    decode_head=dict(in_channels=[64, 128, 320, 512]),
)
