# BiSeNetV2 on CamVid, from scratch. Its heads, which have most of the computation in the model zoo, are narrower.
#
#   python tools/train.py configs/camvid/bisenetv2_fcn_1xb4-1600_camvid-320x320.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/bisenetv2.py", "../_base_/camvid.py", "../_base_/cross_entropy_and_lovasz.py"]
crop_size = (320, 320)  # height, width
norm_cfg = dict(type="SyncBN", requires_grad=True)
model = dict(
    data_preprocessor=dict(size=crop_size),
    decode_head=dict(channels=128, dropout_ratio=0, num_classes=11, loss_decode={{_base_.cross_entropy_and_lovasz}}),
    auxiliary_head=[
        dict(
            type="FCNHead",
            in_channels=16,
            channels=16,
            num_convs=2,
            num_classes=11,
            in_index=1,
            norm_cfg=norm_cfg,
            concat_input=False,
            align_corners=False,
            loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
        ),
        dict(
            type="FCNHead",
            in_channels=32,
            channels=64,
            num_convs=2,
            num_classes=11,
            in_index=2,
            norm_cfg=norm_cfg,
            concat_input=False,
            align_corners=False,
            loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
        ),
        dict(
            type="FCNHead",
            in_channels=64,
            channels=64,
            num_convs=2,
            num_classes=11,
            in_index=3,
            norm_cfg=norm_cfg,
            concat_input=False,
            align_corners=False,
            loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
        ),
        dict(
            type="FCNHead",
            in_channels=128,
            channels=64,
            num_convs=2,
            num_classes=11,
            in_index=4,
            norm_cfg=norm_cfg,
            concat_input=False,
            align_corners=False,
            loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
        ),
    ],
)
