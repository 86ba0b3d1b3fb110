# CGNet on CamVid, from scratch. The class weights of the model zoo are those of Cityscapes, so they are left out.
#
#   python tools/train.py configs/camvid/cgnet_fcn_1xb4-1600_camvid-320x320.py
#
# Published by MMSegmentation: nothing
_base_ = ["../_base_/models/cgnet.py", "../_base_/camvid.py", "../_base_/cross_entropy_and_lovasz.py"]
crop_size = (320, 320)  # height, width
model = dict(
    data_preprocessor=dict(size=crop_size),
    decode_head=dict(num_classes=11, loss_decode={{_base_.cross_entropy_and_lovasz}}),
)
