"""The test pipeline of a config, for arrays: what it cannot scale is refused in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
from mmcv.transforms import Compose

from semseg.datasets.scaling import TooNarrowError, find_resizes, smallest_size


class ArrayPipeline:
    """Run the steps of a test pipeline.

    Args:
        steps: as in a config; the first takes `img`, an array.

    Raises:
        TooNarrowError: when it is called with an image of which a step would leave no pixel.
    """

    def __init__(self, steps: Sequence[dict]) -> None:
        self._resizes = list(find_resizes(list(steps)))
        self._run = Compose(steps)

    def __call__(self, data: dict) -> dict:
        """Return what the steps make of `{"img": array}`, BGR, shape (height, width, 3)."""
        height, width = data["img"].shape[:2]
        try:
            return self._run(data)
        except cv2.error:
            for step in self._resizes if height and width else ():
                size = smallest_size((width, height), step)
                if 0 in size:
                    scaled = "x".join(map(str, size))
                    raise TooNarrowError(
                        f"an image of {width}x{height} is too narrow: the test pipeline would scale it to {scaled}; cut"
                        " it into shorter pieces, or keep its size with tiles (tile, --tile)"
                    ) from None
            raise
