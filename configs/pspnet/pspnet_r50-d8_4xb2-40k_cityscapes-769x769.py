# PSPNet-R50 on Cityscapes: 40,000 iterations, crops of 769x769, sliding windows in the test.
#
#   tools/dist_train.sh configs/pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-769x769.py 4
#
# Published by MMSegmentation (configs/pspnet/metafile.yaml; speed: README.md there):
#   mIoU     78.26 %, with --tta 79.88 %
#   memory   6.9 GB per GPU
#   speed    1.76 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/pspnet/pspnet_r50-d8_769x769_40k_cityscapes/pspnet_r50-d8_769x769_40k_cityscapes_20200606_112725-86638686.pth
_base_ = [
    "../_base_/models/pspnet_r50-d8.py",
    "../_base_/datasets/cityscapes_769x769.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_40k.py",
]
crop_size = (769, 769)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(
    data_preprocessor=data_preprocessor,
    decode_head=dict(align_corners=True),
    auxiliary_head=dict(align_corners=True),
    test_cfg=dict(mode="slide", crop_size=(769, 769), stride=(513, 513)),
)
