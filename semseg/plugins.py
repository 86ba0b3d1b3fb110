"""Everything of this project that a config names by string; a config brings it in with
`custom_imports = dict(imports=['semseg.plugins'])`."""

from semseg.datasets import labelled_dataset, rare_class_crops, seeded, transforms  # noqa: F401
from semseg.evaluation import mapped_model, metric, result_files, strict_weights  # noqa: F401
from semseg.training import (  # noqa: F401
    checkpointing,
    contact_sheet,
    epoch_loops,
    fine_tuning,
    log_lines,
    nan_guard,
    overfit_hook,
    panels,
    precision,
    progress,
    provenance,
    resume_state,
    stopping,
    tracking_hooks,
)
from semseg.training.preflight import hook  # noqa: F401
