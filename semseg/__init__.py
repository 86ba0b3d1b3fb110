"""Semantic segmentation from configs: train, test and infer, built on MMSegmentation."""

from __future__ import annotations

__version__ = "0.1.0"

# not imported until somebody asks for it: PyTorch takes seconds
TYPE_CHECKING = False  # not from typing, which every --help would wait for
if TYPE_CHECKING:
    from semseg.inference.segmenter import Segmentation, Segmenter

__all__ = ["Segmentation", "Segmenter"]


def __getattr__(name: str) -> type:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from semseg.inference import segmenter

    return getattr(segmenter, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
