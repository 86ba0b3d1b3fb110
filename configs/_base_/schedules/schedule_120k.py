# The schedule of 80,000 iterations in 120,000, down to a rate of 0.
_base_ = "./schedule_80k.py"
param_scheduler = [dict(type="PolyLR", eta_min=0, power=0.9, begin=0, end=120000, by_epoch=False)]
train_cfg = dict(max_iters=120000, val_interval=12000)
default_hooks = dict(checkpoint=dict(interval=12000))
