# PSPNet-R101 on Cityscapes: 80,000 iterations, crops of 769x769, sliding windows in the test.
#
#   tools/dist_train.sh configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-769x769.py 4
#
# Published by MMSegmentation (configs/pspnet/metafile.yaml; speed: README.md there):
#   mIoU     79.77 %, with --tta 81.06 %
#   memory   not published
#   speed    not published
#   weights  https://download.oz1z1penmmlab.com/mmsegmentation/v0.5/pspnet/pspnet_r101-d8_769x769_80k_cityscapes/pspnet_r101-d8_769x769_80k_cityscapes_20200606_225055-dba412fa.pth
_base_ = [
    "../_base_/models/pspnet_r101-d8.py",
    "../_base_/datasets/cityscapes_769x769.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_80k.py",
]
crop_size = (769, 769)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(
    data_preprocessor=data_preprocessor,
    decode_head=dict(align_corners=True),
    auxiliary_head=dict(align_corners=True),
    test_cfg=dict(mode="slide", crop_size=(769, 769), stride=(513, 513)),
)
