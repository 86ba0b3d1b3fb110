# STDC2, pretrained on ImageNet, trained on Cityscapes: 80,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/stdc/stdc2_in1k-pre_4xb12-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/stdc/metafile.yaml; speed: README.md there):
#   mIoU     76.67 %, with --tta 78.67 %
#   memory   not published
#   speed    not published
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/stdc/stdc2_in1k-pre_512x1024_80k_cityscapes/stdc2_in1k-pre_512x1024_80k_cityscapes_20220224_073048-1f8f0f6c.pth
_base_ = "./stdc2_4xb12-80k_cityscapes-512x1024.py"
checkpoint = "https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/stdc/stdc2_20220308-7dbd9127.pth"
model = dict(backbone=dict(backbone_cfg=dict(init_cfg=dict(type="Pretrained", checkpoint=checkpoint))))
