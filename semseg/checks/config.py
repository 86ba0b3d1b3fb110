"""Check the data sets that a config reads, and whether all its parts have the same classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.config import Config

from semseg.checks.class_agreement import check_classes
from semseg.checks.config_parts import read_config_parts, without_pipeline
from semseg.checks.dataset import check_parts
from semseg.checks.findings import Report
from semseg.checks.parts import relative_to_cwd
from semseg.config.tree import inner_datasets
from semseg.datasets.dataset_keys import SPLITS
from semseg.errors import InvalidDataError


def check_config(
    cfg: Config,
    splits: Sequence[str] = (),
    *,
    deep: bool = False,
    num_processes: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check what the dataloaders of a finished config read, and its classes.

    Args:
        cfg: from `load_config`.
        splits: which dataloaders; default: all. A set that an earlier dataloader reads is checked once.
        deep, num_processes, on_progress: as in `check_dataset_file`.

    Raises:
        FileNotFoundError, ValueError: a dataset.yaml that the config names is missing or invalid.
    """
    parts, findings, known_sources = [], [], []
    present = [split for split in splits or SPLITS if cfg.get(f"{split}_dataloader") is not None]
    if not present:
        raise InvalidDataError(
            f"the config has no dataloader for {' or '.join(splits or SPLITS)}: nothing to check",
            code="E-data-dataloader",
        )
    for split in present:
        more_parts, more_findings = read_config_parts(cfg, split, known_sources)
        parts += more_parts
        findings += more_findings
        known_sources += map(without_pipeline, inner_datasets(cfg[f"{split}_dataloader"].dataset))
    findings += check_classes(cfg, parts)
    source = str(relative_to_cwd(Path(cfg.filename))) if cfg.filename else "the config"
    return check_parts(source, parts, findings, "take them out of one", deep, num_processes, on_progress)
