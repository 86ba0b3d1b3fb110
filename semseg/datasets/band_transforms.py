"""Transforms for pictures of any number of bands: the loader, and a distortion that does not need colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio
from mmseg.registry import TRANSFORMS

from semseg.datasets.bands import Bands, swap_channels
from semseg.datasets.photographs import MOST_PIXELS
from semseg.errors import InvalidDataError


@TRANSFORMS.register_module()
class LoadBands(BaseTransform):
    """Load the named bands of a picture, scaled to 0 to 255; `load_config` writes it for a set with `bands`.

    Args:
        bands, range, fill, nodata, rgb: see `Bands`.
        exif: with `apply`, a picture that its metadata turn is refused; with `ignore`, it is taken as stored.
        backend_args: of MMEngine's file client, for files on a server.

    Raises:
        ValueError: the file cannot be read, or lacks a band; the message names the file.
    """

    def __init__(
        self,
        bands: Sequence[int],
        range: Sequence[Sequence[float]],
        fill: Sequence[float],
        nodata: float | None = None,
        rgb: Sequence[int] | None = None,
        exif: str = "apply",
        backend_args: dict | None = None,
    ) -> None:
        self.bands = Bands.from_step(dict(bands=bands, range=range, fill=fill, nodata=nodata, rgb=rgb))
        self.exif, self.backend_args = exif, backend_args

    def transform(self, results: dict) -> dict:
        """Add `img`, float32, shape (height, width, channels), 0 to 255; three channels are reversed, as BGR.

        Also `img_shape`, `ori_shape` and, if pixels have no data, `nodata`: bool, shape (height, width).
        """
        path = results["img_path"]
        try:
            source = Path(path) if self.backend_args is None else fileio.get(path, self.backend_args)
            picture = self.bands.read(source, self.exif, MOST_PIXELS)
        except ValueError as error:
            raise InvalidDataError(f"{path}: {error}", code=getattr(error, "code", "E-data-unreadable")) from error
        results["img"] = swap_channels(picture.image)
        results["img_shape"] = results["ori_shape"] = picture.image.shape[:2]
        if picture.nodata is not None:
            results["nodata"] = picture.nodata
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.bands}, exif={self.exif!r})"


def bands_of(dataset: Any) -> Bands | None:
    """Return the `Bands` of the pipeline of a built data set; None if it loads photographs."""
    steps = getattr(getattr(dataset, "pipeline", None), "transforms", ())
    return next((step.bands for step in steps if isinstance(step, LoadBands)), None)


@TRANSFORMS.register_module()
class BandDistortion(BaseTransform):
    """Change brightness and contrast of a picture at random, of all channels alike; for any number of channels.

    The part of MMSegmentation's PhotoMetricDistortion that needs no colours: each of the two is done with a probability
    of one half, brightness first. Values stay within 0 to 255.

    Args:
        brightness_delta: most that is added to, or subtracted from, all values.
        contrast_range: of the factor by which all values are multiplied.
    """

    def __init__(self, brightness_delta: float = 32, contrast_range: Sequence[float] = (0.5, 1.5)) -> None:
        self.brightness_delta = brightness_delta
        self.contrast_range = (contrast_range[0], contrast_range[1])

    def transform(self, results: dict) -> dict:
        """Change `img`: float32, any shape."""
        factor, added = 1.0, 0.0
        if np.random.randint(2):
            added = np.random.uniform(-self.brightness_delta, self.brightness_delta)
        if np.random.randint(2):
            factor = np.random.uniform(*self.contrast_range)
        if (factor, added) != (1.0, 0.0):
            img = results["img"]
            brighter = np.clip(np.asarray(img, np.float32) + np.float32(added), 0, 255)
            results["img"] = np.clip(brighter * np.float32(factor), 0, 255)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(brightness_delta={self.brightness_delta}, contrast_range={self.contrast_range})"
