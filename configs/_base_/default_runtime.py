# Settings of every run that do not depend on the model or the data: plugins, logging, visualization.
custom_imports = dict(imports=["semseg.plugins"], allow_failed_imports=False)
default_scope = "mmseg"
env_cfg = dict(
    cudnn_benchmark=True, mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0), dist_cfg=dict(backend="nccl")
)
vis_backends = [dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")]
visualizer = dict(type="SegLocalVisualizer", vis_backends=vis_backends, name="visualizer")
custom_hooks = [
    dict(type="ContactSheetHook", num_samples=8),  # the inputs of the network, before the first iteration
    dict(type="PanelHook", num_images=8),  # the same images at every validation: ground truth left, prediction right
    dict(type="ProgressBarHook"),  # on a terminal only
]
log_processor = dict(type="SegLogProcessor", by_epoch=False)
log_level = "INFO"
load_from = None
resume = False

tta_model = dict(type="SegTTAModel")
