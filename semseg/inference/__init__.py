"""From photographs to masks: find the images, predict, write each result as soon as it exists."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from semseg.inference.outputs import Outputs
    from semseg.inference.predictor import Predictor
    from semseg.inference.sources import SourceImage, find_images, is_video
    from semseg.inference.stream import infer

__all__ = ["Outputs", "Predictor", "SourceImage", "find_images", "infer", "is_video"]

# imported when they are used: `--help` needs the options only, and PyTorch takes seconds
_MODULES = {
    "Outputs": "outputs",
    "Predictor": "predictor",
    "SourceImage": "sources",
    "find_images": "sources",
    "infer": "stream",
    "is_video": "sources",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
