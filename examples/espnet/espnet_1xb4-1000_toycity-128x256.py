# ESPNet on ToyCity, with the schedule of its PSPNet recipe.
#
#   python tools/train.py examples/espnet/espnet_1xb4-1000_toycity-128x256.py
_base_ = [
    "./espnet_model.py",
    "../../configs/_base_/datasets/toycity.py",
    "../../configs/_base_/default_runtime.py",
    "../../configs/_base_/schedules/schedule_80k.py",
]
custom_imports = dict(imports=["espnet"])  # the file beside this config
num_iters = 1000
model = dict(data_preprocessor=dict(size=(128, 256)))
optim_wrapper = dict(optimizer=dict(_delete_=True, type="AdamW", lr=0.005, weight_decay=0.01))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=num_iters // 20, by_epoch=False),
    dict(type="PolyLR", eta_min=1e-5, power=0.9, begin=num_iters // 20, end=num_iters, by_epoch=False),
]
train_cfg = dict(max_iters=num_iters, val_interval=num_iters // 4)
default_hooks = dict(logger=dict(interval=25), checkpoint=dict(interval=num_iters // 4))
