# SegFormer-B2 on Cityscapes: 160,000 iterations, crops of 1024x1024, sliding windows in the test.
#
#   tools/dist_train.sh configs/segformer/segformer_mit-b2_8xb1-160k_cityscapes-1024x1024.py 8
#
# Published by MMSegmentation (configs/segformer/metafile.yaml; speed: README.md there):
#   mIoU     81.08 %, with --tta 82.18 %
#   memory   7.42 GB per GPU
#   speed    3.36 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/segformer/segformer_mit-b2_8x1_1024x1024_160k_cityscapes/segformer_mit-b2_8x1_1024x1024_160k_cityscapes_20211207_134205-6096669a.pth
_base_ = "./segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py"
checkpoint = "https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/segformer/mit_b2_20220624-66e8bf70.pth"
model = dict(
    backbone=dict(init_cfg=dict(checkpoint=checkpoint), embed_dims=64, num_layers=[3, 4, 6, 3]),
    decode_head=dict(in_channels=[64, 128, 320, 512]),
)
