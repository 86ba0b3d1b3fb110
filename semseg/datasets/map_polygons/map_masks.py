"""Find and open masks with a place on the earth, as `tools/infer.py` writes them."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from semseg.errors import InvalidDataError, InvalidInputError, MissingDataError
from semseg.labels import IGNORED
from semseg.system.folders import TIFF_SUFFIXES, natural_key, walk_files

WINDOW_PX = 4096
"""Masks are read by windows of this size, so that the memory does not grow with the mask."""
_SUFFIXES = (*TIFF_SUFFIXES, ".png")


class MapMask:
    """A mask with a place on the earth, of which windows are read when they are needed.

    Args:
        path: of the mask.
        name: of the mask, for the user and for the attribute `source`.

    Attributes:
        size: height, width.
        crs: a `rasterio.crs.CRS`; None if it is not known.
        transform: from column and row to x and y, an `affine.Affine`.

    Raises:
        ValueError: it is not a mask, or has no place.
    """

    def __init__(self, path: Path, name: str) -> None:
        rasterio = import_geo("rasterio")
        self.path, self.name = path, name
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)  # an error below
                self._file = rasterio.open(path)
        except rasterio.errors.RasterioError as error:
            raise InvalidDataError(f"{path} cannot be read ({error})", code="E-data-unreadable") from None
        file = self._file
        self.size, self.crs, self.transform = (file.height, file.width), file.crs, file.transform
        try:
            if file.count != 1 or file.dtypes[0] != "uint8":
                raise InvalidDataError(
                    f"{path} has {file.count} bands of {file.dtypes[0]}; expected a mask of train ids, one band of 8"
                    " bits, as in the folder pred that tools/infer.py writes",
                    code="E-data-image-kind",
                )
            if file.transform.is_identity:
                detail = "only ground control points; rectify it (gdalwarp)" if file.gcps[0] else ""
                raise InvalidDataError(
                    f"{path} has {detail or 'no place on the earth; expected the mask of a GeoTIFF, or of an image'}"
                    f"{'' if detail else ' with a world file'}",
                    code="E-data-place",
                )
        except InvalidDataError:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def area_m2(self) -> float | None:
        """Area of a pixel in the plane of the map, in square metres; None if the CRS is not a projected one."""
        if self.crs is None or not self.crs.is_projected:
            return None
        return abs(self.transform.determinant) * self.crs.linear_units_factor[1] ** 2

    def windows(self) -> list[tuple[slice, slice]]:
        """Return rows and columns of the windows, from left to right and from top to bottom."""
        height, width = self.size
        return [
            (slice(top, min(top + WINDOW_PX, height)), slice(left, min(left + WINDOW_PX, width)))
            for top in range(0, height, WINDOW_PX)
            for left in range(0, width, WINDOW_PX)
        ]

    def read(self, window: tuple[slice, slice], num_classes: int | None = None) -> np.ndarray:
        """Read the train ids of a window: uint8, shape (height, width); 255 without data.

        Raises:
            ValueError: the file is damaged, or has values that are no train ids of `num_classes` classes.
        """
        errors = import_geo("rasterio").errors
        rows, columns = window
        try:
            bounds = ((rows.start, rows.stop), (columns.start, columns.stop))
            train_ids = self._file.read(1, window=bounds)
        except errors.RasterioError as error:
            raise InvalidDataError(f"{self.path} cannot be read ({error})", code="E-data-unreadable") from None
        if self._file.nodata is not None:
            train_ids[train_ids == self._file.nodata] = IGNORED
        values = np.flatnonzero(np.bincount(train_ids.ravel(), minlength=256)[:IGNORED])
        if num_classes is not None and len(values) and values[-1] >= num_classes:
            raise InvalidDataError(
                f"{self.path} has the value {values[-1]}, and there are {num_classes} classes; expected train ids"
                f" 0 to {num_classes - 1} and 255: name the right `classes`",
                code="E-data-mask-values",
            )
        return train_ids


@contextmanager
def open_mask(path: Path, name: str) -> Generator[MapMask]:
    """Open a mask with a place, and close it at the end of the block; see `MapMask`."""
    mask = MapMask(path, name)
    try:
        yield mask
    finally:
        mask.close()


def find_masks(source: Path) -> dict[str, Path]:
    """Return masks by name: a file, or the TIFF and PNG files of a folder, relative to it, in natural order.

    Raises:
        FileNotFoundError: there are none.
    """
    if source.is_dir():
        paths = sorted((p for p in walk_files(source) if p.suffix.lower() in _SUFFIXES), key=natural_key)
        masks = {path.relative_to(source).as_posix(): path for path in paths}
    else:
        masks = {source.name: source} if source.is_file() else {}
    if not masks:
        raise MissingDataError(
            f"no masks in {source}; expected a mask (.tif, .png) or a folder of masks, as tools/infer.py writes them",
            code="E-data-missing",
        )
    return masks


def import_geo(name: str) -> ModuleType:
    """Return the module `rasterio` or `pyogrio.raw`.

    Raises:
        ValueError: it is not installed.
    """
    try:
        if name == "rasterio":
            import rasterio

            return rasterio
        import pyogrio.raw

        return pyogrio.raw
    except ImportError:
        raise InvalidInputError(
            f"polygons need {name.partition('.')[0]}, which is not installed: pip install -e '.[geo]'",
            code="E-input-package",
        ) from None


def check_same_crs(masks: dict[str, Path]) -> Any:
    """Return the CRS of all masks.

    Raises:
        ValueError: they have different ones, or one of them is not a mask with a place.
    """
    first: MapMask | None = None
    for name, path in masks.items():
        with open_mask(path, name) as mask:
            if first is None:
                first = mask
            elif mask.crs != first.crs:
                raise InvalidDataError(
                    f"{first.name} is in {first.crs or 'an unknown CRS'}, {name} in {mask.crs or 'an unknown CRS'};"
                    " one file holds one CRS: give `out` as a folder, which gets a GeoPackage for each mask",
                    code="E-data-place",
                )
    assert first is not None  # find_masks found one
    return first.crs
