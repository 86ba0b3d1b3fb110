# ESPNet (p=2, q=8) on CamVid, 11 classes at 480x360, in the way of the paper and of the authors' code: Adam, learning
# rate halved after each third of 300 passes over the 367 pictures, class weights. Differences: encoder and decoder are
# trained together (the authors train the encoder first), flips are horizontal, and the constant in the formula of the
# class weights is that of ENet (1.02), not 1.10.
#
#   python tools/train.py examples/espnet/espnet_1xb10-11000_camvid-360x480.py
#
# data/camvid/dataset.yaml: see README.md.
_base_ = [
    "./espnet_model.py",
    "../../configs/_base_/datasets/camvid.py",
    "../../configs/_base_/default_runtime.py",
    "../../configs/_base_/schedules/schedule_80k.py",
]
custom_imports = dict(imports=["espnet"])  # the file beside this config
crop_size = (360, 480)  # height, width
num_iters = 11000
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadTrainIds"),
    dict(type="RandomResize", scale=(480, 360), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
train_dataloader = dict(batch_size=10, num_workers=2, dataset=dict(pipeline=train_pipeline))

# The authors read pictures as BGR, subtract the mean and divide by the deviation of the training pictures, and then
# divide by 255 once more. Their weights need all of it.
model = dict(
    data_preprocessor=dict(
        size=crop_size,
        bgr_to_rgb=False,
        mean=[110.331, 108.409, 105.033],  # blue, green, red
        std=[72.126 * 255, 72.691 * 255, 69.904 * 255],
    ),
    decode_head=dict(
        num_classes=11,
        channels=12,  # the authors' number of outputs: 11 classes and void
        loss_decode=dict(class_weight="auto:enet"),
    ),
)
optim_wrapper = dict(optimizer=dict(_delete_=True, type="Adam", lr=5e-4, weight_decay=5e-4))
param_scheduler = [dict(type="StepLR", step_size=num_iters // 3, gamma=0.5, by_epoch=False)]
train_cfg = dict(max_iters=num_iters, val_interval=num_iters // 11)
default_hooks = dict(checkpoint=dict(interval=num_iters // 11))
