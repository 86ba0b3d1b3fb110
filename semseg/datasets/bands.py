"""Pictures that are more than RGB of 8 bits: which bands of a file a model sees, and how their values become 0 to 255.

A dataset.yaml names the bands and their ranges (`BandRules`). Together with the numbers that a training has measured
they are `Bands`, which the config of the run and its checkpoints record in the step `LoadBands` of each pipeline. So
training, testing and inference convert values in the very same way.

A picture is float32, shape (height, width, channels), with one channel for each named band, in their order. A pixel
without data (NaN, infinite, the stated value, transparent) has the mean of the training, which becomes 0 when it is
normalised. A pixel without data in all channels is ignored: in masks, and in predictions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semseg.datasets.band_rules import Range
from semseg.datasets.photographs import MAX_PIXELS
from semseg.datasets.stored_bands import Header, Stored, bands_axis, read_stored
from semseg.errors import InvalidDataError

BAND_SUFFIXES = (".npy",)
"""Suffixes of pictures that only models with `bands` read."""
LOADER = "LoadBands"
"""Name of the transform that loads such pictures, in a config."""

_WHITE = 255.0


class Picture(NamedTuple):
    """A picture in memory.

    Attributes:
        image: float32, shape (height, width, channels), 0 to 255.
        nodata: True where no channel has data, bool, shape (height, width); None if there is no such pixel.
    """

    image: np.ndarray
    nodata: np.ndarray | None


@dataclass(frozen=True)
class Bands:
    """How pictures are read: the step `LoadBands` of a config holds these values.

    Attributes:
        bands: numbers of the bands in the file, from 1; each becomes a channel.
        range: of each channel, the stored values that become 0 and 255; other values are clipped.
        fill: of each channel, 0 to 255, where there is no data: the mean of the training.
        nodata, rgb: as in `BandRules`.
    """

    bands: tuple[int, ...]
    range: tuple[Range, ...]
    fill: tuple[float, ...]
    nodata: float | None = None
    rgb: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        same = len(self.bands) == len(self.range) == len(self.fill) > 0
        fits = same and min(self.bands) > 0 and all(0 <= channel < len(self.bands) for channel in self.rgb or ())
        if not fits or not all(low < high for low, high in self.range):
            raise InvalidDataError(
                f"{LOADER}: bands {list(self.bands)}, range {list(self.range)} and fill {list(self.fill)} do not fit"
                " together; expected as many pairs and numbers as bands, and rgb among them",
                code="E-data-bands",
            )

    @classmethod
    def from_step(cls, step: Mapping[str, Any]) -> Bands:
        """Read a step `LoadBands` of a config.

        Raises:
            ValueError: a value is missing, or wrong.
        """
        rgb, nodata = step.get("rgb"), step.get("nodata")
        try:
            return cls(
                tuple(map(int, step["bands"])),
                tuple((float(low), float(high)) for low, high in step["range"]),
                tuple(map(float, step["fill"])),
                None if nodata is None else float(nodata),
                None if rgb is None else (int(rgb[0]), int(rgb[1]), int(rgb[2])),
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            if isinstance(error, InvalidDataError):
                raise
            raise InvalidDataError(
                f"{LOADER} with {dict(step)}: expected bands, range and fill, as `load_config` writes them",
                code="E-data-bands",
            ) from error

    @property
    def num_channels(self) -> int:
        """How many channels a picture has."""
        return len(self.bands)

    def step(self, exif: str = "apply") -> dict[str, Any]:
        """Return the step `LoadBands` of a config."""
        step = {
            "type": LOADER,
            "bands": list(self.bands),
            "range": [list(pair) for pair in self.range],
            "fill": list(self.fill),
        }
        optional = {"nodata": self.nodata, "rgb": None if self.rgb is None else list(self.rgb)}
        step |= {key: value for key, value in optional.items() if value is not None}
        return step | ({"exif": exif} if exif != "apply" else {})

    def read(self, source: Path | bytes, exif: str = "apply", max_pixels: int = MAX_PIXELS) -> Picture:
        """Read a picture.

        Raises:
            TooManyPixelsError, ValueError: as `read_stored`; or it has too few bands.
        """
        return self.convert(read_stored(source, exif, max_pixels))

    def convert(self, stored: Stored) -> Picture:
        """Convert stored values.

        Raises:
            ValueError: there are too few bands.
        """
        values, header = stored
        check_numbers(self.bands, header)
        height, width = values.shape[:2]
        image = np.empty((height, width, self.num_channels), np.float32)
        transparent = is_transparent(stored, self.bands)
        empty = np.ones((height, width), bool)
        for channel, (number, (low, high)) in enumerate(zip(self.bands, self.range, strict=True)):
            plane = values[..., number - 1]
            missing = find_missing(plane, header, self.nodata)
            if transparent is not None:
                missing |= transparent
            with np.errstate(invalid="ignore", over="ignore"):  # of values that are missing
                scaled = (plane.astype(_precision(plane)) - low) * (_WHITE / (high - low))
                image[..., channel] = np.clip(scaled, 0, _WHITE)
            image[missing, channel] = self.fill[channel]
            empty &= missing
        return Picture(image, empty if empty.any() else None)

    def convert_array(self, values: np.ndarray) -> Picture:
        """Convert an array with all bands of a file: (height, width), (height, width, bands) or (bands, height, width).

        Raises:
            ValueError: it has another shape, too few bands, or other values than real numbers.
        """
        if values.dtype.kind not in "buif":
            raise InvalidDataError(f"array of {values.dtype}; expected real numbers", code="E-data-image-kind")
        first = bands_axis(values.shape) == 0
        values = values[..., None] if values.ndim == 2 else np.moveaxis(values, 0, 2) if first else values
        height, width, num_bands = values.shape
        return self.convert(Stored(values, Header(width, height, num_bands, values.dtype)))

    def show(self, image: np.ndarray) -> np.ndarray:
        """Return a picture for people: RGB, uint8, shape (height, width, 3).

        Args:
            image: float32, shape (height, width, channels), 0 to 255.
        """
        chosen = self.rgb or ((0, 1, 2) if self.num_channels == 3 else (0, 0, 0))
        return np.rint(np.clip(image[..., list(chosen)], 0, _WHITE)).astype(np.uint8)


def swap_channels(image: np.ndarray) -> np.ndarray:
    """Turn a picture into what pipelines hold, or back: three channels are reversed (BGR), others keep their order."""
    return np.ascontiguousarray(image[:, :, ::-1]) if image.shape[2] == 3 else np.ascontiguousarray(image)


def find_missing(plane: np.ndarray, header: Header, nodata: float | None) -> np.ndarray:
    """Return where a band has no data: bool, shape (height, width).

    Args:
        plane: stored values, shape (height, width).
        header: of the file, which may state a value.
        nodata: a value that the set states.
    """
    is_float = plane.dtype.kind == "f"
    missing = ~np.isfinite(plane) if is_float else np.zeros(plane.shape, bool)
    for value in (header.nodata, nodata):
        if value is not None and np.isfinite(value):
            with np.errstate(over="ignore"):
                missing |= plane == (plane.dtype.type(value) if is_float else value)
    return missing


def is_transparent(stored: Stored, numbers: Sequence[int]) -> np.ndarray | None:
    """Return where a picture is transparent; None if it has no such band, or if that band is one of `numbers`."""
    alpha = stored.header.alpha
    return None if alpha is None or alpha + 1 in numbers else stored.values[..., alpha] == 0


def check_numbers(numbers: Sequence[int], header: Header) -> None:
    """Raise a ValueError if a file does not have a band."""
    if max(numbers) > header.num_bands:
        has = "1 band" if header.num_bands == 1 else f"{header.num_bands} bands"
        raise InvalidDataError(
            f"has {has}, and bands: {list(numbers)} needs band {max(numbers)}; bands are counted from 1",
            code="E-data-bands",
        )


def _precision(plane: np.ndarray) -> type:
    """Return the type to compute in: float32 where it holds every stored value."""
    return np.float32 if plane.dtype.itemsize <= 2 or plane.dtype == np.float32 else np.float64
