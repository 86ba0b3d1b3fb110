"""The names that configs and checkpoints give to parts of this project: they stay, wherever the code goes."""

import mmseg.registry

import semseg.plugins  # noqa: F401

NAMES = {
    "DATASETS": ["FolderSegDataset", "RareClassDataset", "SeededDataset"],
    "DATA_SAMPLERS": ["SeededEpochSampler", "SeededSampler"],
    "FUNCTIONS": ["deaf_worker_init_fn"],
    "HOOKS": [
        *("AveragedWeightsHook", "ChannelsLastHook", "ClassMapHook", "ContactSheetHook", "ContinuationHook"),
        *("DescriptionHook", "FineTuningHook", "FrozenPartsHook", "GuardHook", "InputChannelsHook", "MonitorHook"),
        *("NotesHook", "OneCurveHook", "OverfitHook", "PanelHook", "PreflightHook", "ProgressBarHook", "ResultsHook"),
        *("SafeCheckpointHook", "SeedHook", "StopHook", "StrictWeightsHook", "UnreadableFilesHook"),
    ],
    "LOG_PROCESSORS": ["SegLogProcessor"],
    "LOOPS": ["ResumableEpochLoop"],
    "METRICS": ["ConfusionMetric", "CrossEntropyMetric"],
    "MODELS": ["EnsembleSegmentor", "StridedLovaszLoss"],
    "OPTIM_WRAPPERS": ["Bf16OptimWrapper"],
    "RUNNERS": ["FreezingRunner"],
    "TRANSFORMS": ["BandDistortion", "LoadBands", "LoadPhotograph", "LoadTrainIds", "RareClassCrop"],
}


def test_every_name_is_registered_by_the_one_module_that_configs_import():
    import mmengine.registry

    for registry, names in NAMES.items():
        root = getattr(mmseg.registry, registry, None) or getattr(mmengine.registry, registry)
        assert [name for name in names if root.get(name) is None] == []
