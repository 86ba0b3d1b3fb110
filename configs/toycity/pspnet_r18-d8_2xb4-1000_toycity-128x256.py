# The demo's PSPNet on ToyCity: two processes of one CPU core each, and with the Lovasz loss, which is near the IoU.
#
#   tools/dist_train.sh configs/toycity/pspnet_r18-d8_2xb4-1000_toycity-128x256.py 2
#
# Published by MMSegmentation: nothing
_base_ = ["./pspnet_r18-d8_1xb4-1000_toycity-128x256.py", "../_base_/cross_entropy_and_lovasz.py"]
model = dict(decode_head=dict(loss_decode={{_base_.cross_entropy_and_lovasz}}))
optim_wrapper = dict(optimizer=dict(fused=True))
