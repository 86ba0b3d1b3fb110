# What the CamVid configs share: the data, and a training from scratch in 1600 iterations on CPUs.
_base_ = ["./datasets/camvid.py", "./cpu_runtime.py", "./schedules/schedule_1600_adamw.py"]
cross_entropy_and_lovasz = [  # the Lovasz loss is that of the whole batch
    dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
    dict(type="LovaszLoss", per_image=False, reduction="none", loss_weight=1.0),
]
