# The demo's PSPNet on ToyCity: two processes of one CPU core each, and the Lovasz loss, which is near the IoU, of every
# fourth row and column: of every second one it would make a step a quarter longer.
#
#   tools/dist_train.sh configs/toycity/pspnet_r18-d8_2xb4-1000_toycity-128x256.py 2
#
# Published by MMSegmentation: nothing
_base_ = "./pspnet_r18-d8_1xb4-1000_toycity-128x256.py"
model = dict(
    decode_head=dict(
        loss_decode=[
            dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            dict(type="StridedLovaszLoss", stride=4, loss_weight=1.0),
        ]
    )
)
optim_wrapper = dict(optimizer=dict(fused=True))
