# SegFormer-B0 on CamVid, from scratch. A transformer needs a lower learning rate than the other models.
#
#   python tools/train.py configs/camvid/segformer_mit-b0_1xb4-1600_camvid-320x320.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/segformer_mit-b0.py", "../_base_/camvid.py", "../_base_/cross_entropy_and_lovasz.py"]
crop_size = (320, 320)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
    pretrained=None,
    backbone=dict(init_cfg=None),
    decode_head=dict(num_classes=11, loss_decode={{_base_.cross_entropy_and_lovasz}}),
)
optim_wrapper = dict(
    optimizer=dict(lr=0.001),
    paramwise_cfg=dict(custom_keys=dict(pos_block=dict(decay_mult=0.0), norm=dict(decay_mult=0.0))),
)
