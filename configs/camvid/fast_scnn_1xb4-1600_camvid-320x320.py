# Fast-SCNN on CamVid, from scratch, with a softmax instead of the sigmoids of the model zoo.
#
#   python tools/train.py configs/camvid/fast_scnn_1xb4-1600_camvid-320x320.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/fast_scnn.py", "../_base_/camvid.py", "../_base_/cross_entropy_and_lovasz.py"]
crop_size = (320, 320)  # height, width
norm_cfg = dict(type="SyncBN", requires_grad=True, momentum=0.01)
model = dict(
    data_preprocessor=dict(size=crop_size),
    decode_head=dict(num_classes=11, loss_decode={{_base_.cross_entropy_and_lovasz}}),
    auxiliary_head=[
        dict(
            type="FCNHead",
            in_channels=128,
            channels=32,
            num_convs=1,
            num_classes=11,
            in_index=-2,
            norm_cfg=norm_cfg,
            concat_input=False,
            align_corners=False,
            loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=0.4),
        ),
        dict(
            type="FCNHead",
            in_channels=64,
            channels=32,
            num_convs=1,
            num_classes=11,
            in_index=-3,
            norm_cfg=norm_cfg,
            concat_input=False,
            align_corners=False,
            loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=0.4),
        ),
    ],
)
