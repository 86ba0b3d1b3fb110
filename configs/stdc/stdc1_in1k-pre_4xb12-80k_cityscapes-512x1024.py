# STDC1, pretrained on ImageNet, trained on Cityscapes: 80,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/stdc/stdc1_in1k-pre_4xb12-80k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/stdc/metafile.yaml; speed: README.md there):
#   mIoU     74.94 %, with --tta 76.97 %
#   memory   not published
#   speed    not published
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/stdc/stdc1_in1k-pre_512x1024_80k_cityscapes/stdc1_in1k-pre_512x1024_80k_cityscapes_20220224_141648-3d4c2981.pth
_base_ = "./stdc1_4xb12-80k_cityscapes-512x1024.py"
checkpoint = "https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/stdc/stdc1_20220308-5368626c.pth"
model = dict(backbone=dict(backbone_cfg=dict(init_cfg=dict(type="Pretrained", checkpoint=checkpoint))))
