"""The test pipeline of a config, for images that are arrays already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
from mmcv.transforms import Compose
from mmengine.config import Config

from semseg.config.tree import inner_datasets
from semseg.datasets.bands import LOADER, Bands
from semseg.datasets.photographs import PHOTOGRAPH_LOADERS
from semseg.datasets.scaling import TooNarrowError, find_resizes, smallest_size

_TARGET_LOADERS = ("LoadAnnotations", "LoadTrainIds")


class InferencePipeline(NamedTuple):
    """The test pipeline of a config.

    Attributes:
        steps: for an image that is an array: it is not loaded from a file, and has no annotation.
        exif: what the data set does with EXIF orientation: `apply` or `ignore`.
        bits: how many bits are in use of photographs that store 16; None: the config does not say.
        bands: which bands of a picture the model reads, and how they are scaled; None: it reads photographs.
    """

    steps: list[dict]
    exif: str
    bits: int | None
    bands: Bands | None = None


def read_test_pipeline(cfg: Config) -> InferencePipeline:
    """Return the test pipeline of a config."""
    dataset = inner_datasets(cfg.test_dataloader.dataset)[0]
    steps = [step for step in dataset.pipeline if step.type not in _TARGET_LOADERS]
    ignores = "color_ignore_orientation" in str(steps[0].get("color_type")) or steps[0].get("exif") == "ignore"
    bits = steps[0].get("bits")
    bands = Bands.from_step(steps[0]) if steps[0].type == LOADER else None
    if steps[0].type in (*PHOTOGRAPH_LOADERS, LOADER):
        steps[0] = dict(type="mmseg.LoadImageFromNDArray")
    return InferencePipeline(steps, "ignore" if ignores else "apply", bits, bands)


def without_resize(steps: Sequence[dict]) -> list[dict]:
    """Return the steps that keep the size of an image."""
    return [step for step in steps if step["type"].rpartition(".")[2] != "Resize"]


class ArrayPipeline:
    """Runs the steps of a test pipeline.

    Args:
        steps: as in a config; the first takes `img`, an array.
    """

    def __init__(self, steps: Sequence[dict]) -> None:
        self._resizes = list(find_resizes(list(steps)))
        self._run = Compose(steps)

    def __call__(self, data: dict) -> dict:
        """Run the steps on `{"img": array}`, BGR, shape (height, width, 3), or other channels in their order.

        Raises:
            TooNarrowError: a step would scale the image to no row or no column.
        """
        height, width = data["img"].shape[:2]
        try:
            packed = self._run(data)
        except cv2.error:
            for step in self._resizes if height and width else ():
                size = smallest_size((width, height), step)
                if 0 in size:
                    scaled = "x".join(map(str, size))
                    raise TooNarrowError(
                        f"an image of {width}x{height} is too narrow: the test pipeline would scale it to {scaled}; cut"
                        " it into shorter pieces, or keep its size with `tile`"
                    ) from None
            raise
        assert isinstance(packed, dict)
        return packed
