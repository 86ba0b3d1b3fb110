# The default runtime for small models on CPUs: fewer pictures at a validation, and a memory layout that is faster there.
_base_ = "./default_runtime.py"
custom_hooks = [
    dict(type="ContactSheetHook", num_samples=8),
    dict(type="PanelHook", num_images=4),
    dict(type="ProgressBarHook"),
    dict(type="ChannelsLastHook"),
]
