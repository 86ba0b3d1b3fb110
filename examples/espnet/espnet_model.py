# ESPNet (p=2, q=8; Mehta et al., ECCV 2018). Its parts are in espnet.py, which a config that inherits this one imports:
# custom_imports = dict(imports=["espnet"])
norm_cfg = dict(type="SyncBN", eps=1e-3, requires_grad=True)
data_preprocessor = dict(
    type="SegDataPreProcessor",
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
)
model = dict(
    type="EncoderDecoder",
    data_preprocessor=data_preprocessor,
    pretrained=None,
    backbone=dict(type="ESPNetEncoder", num_blocks=(2, 8), norm_cfg=norm_cfg),
    decode_head=dict(
        type="ESPNetHead",
        channels=19,  # as many as classes, as in the paper
        num_classes=19,
        dropout_ratio=0,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
