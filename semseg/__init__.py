"""Semantic segmentation from configs: train, test and infer, built on MMSegmentation."""

from __future__ import annotations

from semseg.errors import CheckpointError, ConfigError, DataError, InputError, SemsegError

__version__ = "0.1.0"

# not imported until somebody asks for it: PyTorch takes seconds
TYPE_CHECKING = False  # not from typing, which every --help would wait for
if TYPE_CHECKING:
    from semseg.inference.segmenter import Segmentation, Segmenter

_LAZY = ("Segmentation", "Segmenter")
__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "InputError",
    "Segmentation",
    "Segmenter",
    "SemsegError",
]


def __getattr__(name: str) -> type:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from semseg.inference import segmenter

    return getattr(segmenter, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
