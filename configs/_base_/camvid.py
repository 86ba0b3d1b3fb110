# What the CamVid configs share: the data, and a training from scratch in 1600 iterations on CPUs.
_base_ = ["./datasets/camvid.py", "./cpu_runtime.py", "./schedules/schedule_1600_adamw.py"]
cross_entropy_and_lovasz = [  # the Lovasz loss of all pixels would take as long as the network on a CPU
    dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
    dict(type="StridedLovaszLoss", stride=2, loss_weight=1.0),
]
