# What the ToyCity configs share: the drawn city, and a training from scratch in 1000 iterations on two CPU cores.
_base_ = ["./datasets/toycity.py", "./cpu_runtime.py", "./schedules/schedule_80k.py"]
num_iters = 1000
# when training from scratch with few iterations, AdamW gives better results than SGD
optim_wrapper = dict(
    type="Bf16OptimWrapper", enabled="auto", optimizer=dict(_delete_=True, type="AdamW", lr=0.005, weight_decay=0.01)
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=num_iters // 20, by_epoch=False),
    dict(type="PolyLR", eta_min=1e-5, power=0.9, begin=num_iters // 20, end=num_iters, by_epoch=False),
]
train_cfg = dict(max_iters=num_iters, val_interval=num_iters // 4)
default_hooks = dict(logger=dict(interval=25), checkpoint=dict(interval=num_iters // 4))
