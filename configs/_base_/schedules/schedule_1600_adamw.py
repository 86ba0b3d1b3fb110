# Training from scratch on CPUs: with few iterations, AdamW gives better results than SGD. The values are
# those of the recipe for ToyCity. bfloat16 is used on CPUs that are fast at it.
num_iters = 1600
optim_wrapper = dict(
    type="Bf16OptimWrapper",
    enabled="auto",
    optimizer=dict(type="AdamW", lr=0.005, weight_decay=0.01),
    clip_grad=None,
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=num_iters // 20, by_epoch=False),
    dict(type="PolyLR", eta_min=1e-5, power=0.9, begin=num_iters // 20, end=num_iters, by_epoch=False),
]
train_cfg = dict(type="IterBasedTrainLoop", max_iters=num_iters, val_interval=num_iters // 4)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=25, log_metric_by_epoch=False),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="CheckpointHook", by_epoch=False, interval=num_iters // 4, save_best="mIoU", max_keep_ckpts=3),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    visualization=dict(type="SegVisualizationHook"),
)
