"""From photographs to masks: find the images, predict, write as it goes."""

from typing import TYPE_CHECKING

from semseg.inference.outputs import Outputs
from semseg.inference.sources import SourceImage, find_images, is_video
from semseg.inference.stream import infer

if TYPE_CHECKING:
    from semseg.inference.predictor import Predictor

__all__ = ["Outputs", "Predictor", "SourceImage", "find_images", "infer", "is_video"]


def __getattr__(name: str) -> object:
    if name == "Predictor":  # PyTorch, which the rest can do without
        from semseg.inference.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
