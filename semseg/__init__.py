"""Semantic segmentation from configs: train, test and infer, built on MMSegmentation."""

from __future__ import annotations

from semseg.errors import CheckpointError, ConfigError, DataError, DiskError, InputError, SemsegError, StorageError
from semseg.system.lazy import lazy_attributes

__version__ = "0.1.0"

# not imported until somebody asks for it: PyTorch takes seconds
TYPE_CHECKING = False  # not from typing, which every --help would wait for
if TYPE_CHECKING:
    from semseg.inference.segmenter import Segmentation, Segmenter

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DiskError",
    "InputError",
    "Segmentation",
    "Segmenter",
    "SemsegError",
    "StorageError",
]


__getattr__ = lazy_attributes(__name__, {"Segmentation": "inference.segmenter", "Segmenter": "inference.segmenter"})


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
