# What the CamVid configs share: the data, and a training from scratch in 1600 iterations on CPUs.
_base_ = ["./datasets/camvid.py", "./cpu_runtime.py", "./schedules/schedule_1600_adamw.py"]
