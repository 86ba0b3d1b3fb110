# UNet of five stages, features at 1/16 of the image, with the head of PSPNet.
_base_ = "./fcn_unet_s5-d16.py"
norm_cfg = dict(type="SyncBN", requires_grad=True)
model = dict(
    decode_head=dict(
        _delete_=True,
        type="PSPHead",
        in_channels=64,
        in_index=4,
        channels=16,
        pool_scales=(1, 2, 3, 6),
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
    ),
)
