# CGNet on CamVid, from scratch. The class weights of the model zoo are those of Cityscapes, so they are left out.
#
#   python tools/train.py configs/camvid/cgnet_fcn_1xb4-1600_camvid-320x320.py
#
# Published by MMSegmentation: nothing
_base_ = [
    "../_base_/models/cgnet.py",
    "../_base_/datasets/camvid.py",
    "../_base_/cpu_runtime.py",
    "../_base_/schedules/schedule_1600_adamw.py",
]
crop_size = (320, 320)  # height, width
loss_decode = [  # the cross entropy, and the Lovasz loss of the whole batch
    dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
    dict(type="LovaszLoss", per_image=False, reduction="none", loss_weight=1.0),
]
model = dict(data_preprocessor=dict(size=crop_size), decode_head=dict(num_classes=11, loss_decode=loss_decode))
