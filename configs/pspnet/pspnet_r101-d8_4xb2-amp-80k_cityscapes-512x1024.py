# PSPNet-R101 on Cityscapes: 80,000 iterations, crops of 512x1024, mixed precision (float16).
#
#   tools/dist_train.sh configs/pspnet/pspnet_r101-d8_4xb2-amp-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/pspnet/metafile.yaml; speed: README.md there):
#   mIoU     79.46 %, with --tta not published
#   memory   5.34 GB per GPU
#   speed    8.77 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/pspnet/pspnet_r101-d8_fp16_512x1024_80k_cityscapes/pspnet_r101-d8_fp16_512x1024_80k_cityscapes_20200717_230919-a0875e5c.pth
_base_ = "./pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py"
optim_wrapper = dict(type="AmpOptimWrapper", loss_scale=512.0)
