"""From photographs to masks: find the images, predict, write as it goes."""

from semseg.inference.predictor import Predictor
from semseg.inference.sources import SourceImage, find_images
from semseg.inference.writers import infer

__all__ = ["Predictor", "SourceImage", "find_images", "infer"]
