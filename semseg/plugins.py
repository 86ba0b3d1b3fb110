"""Everything of this project that a config names by string; a config brings it in with
`custom_imports = dict(imports=['semseg.plugins'])`."""

from semseg.datasets import band_transforms, labelled_dataset, rare_class_crops, seeded, transforms  # noqa: F401
from semseg.evaluation import class_map, metric, result_files, strict_weights  # noqa: F401
from semseg.inference import ensemble_model  # noqa: F401
from semseg.training import (  # noqa: F401
    checkpointing,
    contact_sheet,
    ema,
    epochs,
    fine_tuning,
    freeze,
    input_channels,
    log_lines,
    monitor,
    nan_guard,
    overfit,
    panels,
    precision,
    progress,
    provenance,
    resume_state,
    stopping,
    strided_lovasz,
    trackers,
    unreadable,
    val_loss,
)
from semseg.training.preflight import hook  # noqa: F401
