# STDC2, from scratch on Cityscapes: 80,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/stdc/stdc2_4xb12-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/stdc/metafile.yaml; speed: README.md there):
#   mIoU     73.15 %, with --tta 76.13 %
#   memory   8.27 GB per GPU
#   speed    23.71 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/stdc/stdc2_512x1024_80k_cityscapes/stdc2_512x1024_80k_cityscapes_20220222_132015-fb1e3a1a.pth
_base_ = "./stdc1_4xb12-80k_cityscapes-512x1024.py"
model = dict(backbone=dict(backbone_cfg=dict(stdc_type="STDCNet2")))
