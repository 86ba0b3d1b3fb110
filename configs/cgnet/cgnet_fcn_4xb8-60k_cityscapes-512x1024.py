# CGNet on Cityscapes: 60,000 iterations, crops of 512x1024.
#
#   tools/dist_train.sh configs/cgnet/cgnet_fcn_4xb8-60k_cityscapes-512x1024.py 4
#
# Published by MMSegmentation (configs/cgnet/metafile.yaml; speed: README.md there):
#   mIoU     68.27 %, with --tta 70.33 %
#   memory   8.3 GB per GPU
#   speed    31.14 images/s on one V100
#   weights  https://mmassets.onedl.ai/mmsegmentation/v0.5/cgnet/cgnet_512x1024_60k_cityscapes/cgnet_512x1024_60k_cityscapes_20201101_110254-124ea03b.pth
_base_ = [
    "../_base_/models/cgnet.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/default_runtime.py",
    "../_base_/schedules/schedule_80k.py",
]
crop_size = (512, 1024)  # height, width
data_preprocessor = dict(size=crop_size)
model = dict(data_preprocessor=data_preprocessor)
optim_wrapper = dict(optimizer=dict(_delete_=True, type="Adam", lr=0.001, eps=1e-08, weight_decay=0.0005))
param_scheduler = [dict(type="PolyLR", eta_min=1e-4, power=0.9, begin=0, end=60000, by_epoch=False)]
train_cfg = dict(max_iters=60000, val_interval=4000)
default_hooks = dict(checkpoint=dict(interval=4000))
train_dataloader = dict(batch_size=8)
