"""Everything of this project that a config names by string; a config brings it in with
`custom_imports = dict(imports=['semseg.plugins'])`."""

from semseg import compat

compat.repair()  # before the registries below are imported

from semseg.plugins import (  # noqa: E402, F401
    checkpoint,
    class_map,
    contact_sheet,
    continuing,
    dataset,
    description,
    epochs,
    exact,
    fine_tuning,
    guard,
    hooks,
    logs,
    metric,
    overfit,
    precision,
    preflight,
    rare_classes,
    results,
    stopping,
    strict_weights,
    tracking,
    transforms,
)
