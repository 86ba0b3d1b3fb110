"""From photographs to masks: find the images, predict, write each result as soon as it exists."""

from __future__ import annotations

from semseg.system.lazy import lazy_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from semseg.inference.outputs import Outputs
    from semseg.inference.predictor import Predictor
    from semseg.inference.sources import SourceImage, find_images, is_video
    from semseg.inference.stream import infer

__all__ = ["Outputs", "Predictor", "SourceImage", "find_images", "infer", "is_video"]

__getattr__ = lazy_attributes(
    __name__,
    {
        "Outputs": "outputs",
        "Predictor": "predictor",
        "SourceImage": "sources",
        "find_images": "sources",
        "infer": "stream",
        "is_video": "sources",
    },
)
