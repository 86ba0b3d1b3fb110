"""Pictures that are scaled when a part of them is taken, so that only the pixels of the crop are computed."""

from __future__ import annotations

import functools
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np

_LARGEST_WARP_PX = 32_766  # warpAffine refuses larger pictures
_MARGIN_PX = 2  # more than bilinear interpolation reads beside a pixel


class Source(Protocol):
    """What a LazyPicture reads from: an array, or anything that returns parts of a picture as arrays."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width, and the number of channels if there is more than one."""
        ...

    def __getitem__(self, part: tuple[slice, slice], /) -> np.ndarray:
        """Return rows and columns."""
        ...


@runtime_checkable
class BgraSource(Protocol):
    """A source that has a faster way to a fourth channel than to copy the pixels once more."""

    def with_fourth_channel(self, part: tuple[slice, slice], /) -> np.ndarray:
        """Return rows and columns with four channels, of which the last means nothing."""
        ...


class LazyPicture:
    """A picture of another size than its source, whose pixels are computed for the part that is taken.

    It has the shape of an array, and `picture[top:bottom, left:right]` is the same part of the scaled picture, up to
    one grey level, as if OpenCV's `resize` had scaled all of it.

    Args:
        source: the picture; uint8, shape (height, width) or (height, width, channels).
        size: height and width after scaling; by default those of the source.
        nearest: take the nearest pixel, for masks; otherwise interpolate linearly.
    """

    def __init__(self, source: Source, size: tuple[int, int] | None = None, nearest: bool = False) -> None:
        self.source, self.nearest = source, nearest
        self.shape = (*(size or source.shape[:2]), *source.shape[2:])
        self._last: tuple[tuple[slice, slice], np.ndarray] | None = None

    def scaled(self, size: tuple[int, int]) -> LazyPicture:
        """Return this picture at another height and width."""
        is_scaled = self.shape != self.source.shape
        return LazyPicture(np.asarray(self) if is_scaled else self.source, size, self.nearest)

    def __getitem__(self, part: Any) -> np.ndarray:
        """Return rows and columns, given as two slices without steps, as an array."""
        rows, columns = (slice(*part[axis].indices(self.shape[axis])) for axis in (0, 1))
        if self._last is None or self._last[0] != (rows, columns):  # RandomCrop takes a part of the mask twice
            self._last = (rows, columns), self._compute(rows, columns)
        return self._last[1]

    def mirrored(self, part: Any) -> np.ndarray:
        """Return rows and columns, as above, with left and right exchanged."""
        rows, columns = (slice(*part[axis].indices(self.shape[axis])) for axis in (0, 1))
        if self.nearest or self.shape == self.source.shape or not _warp_is_exact() or rows.start >= rows.stop:
            return np.ascontiguousarray(self[part][:, ::-1])
        return self._linear(rows, columns, is_mirrored=True)

    def _compute(self, rows: slice, columns: slice) -> np.ndarray:
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return np.empty((0, 0, *self.shape[2:]), np.uint8)
        if self.shape == self.source.shape:
            return np.ascontiguousarray(self.source[rows, columns])
        if self.nearest:
            return self._nearest(rows, columns)
        return self._linear(rows, columns) if _warp_is_exact() else self._scaled_as_a_whole(rows, columns)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self[:, :]
        return whole if dtype is None else whole.astype(dtype)

    def __eq__(self, other: object) -> Any:
        return np.asarray(self) == other

    __hash__ = None  # type: ignore[assignment]

    def _nearest(self, rows: slice, columns: slice) -> np.ndarray:
        indices = []
        for one, length, source_length in zip((rows, columns), self.shape, self.source.shape, strict=False):
            step = 1 / (length / source_length)  # rounded twice, as OpenCV does
            indices.append(np.minimum((np.arange(one.start, one.stop) * step).astype(int), source_length - 1))
        (top, bottom), (left, right) = ((index[0], index[-1] + 1) for index in indices)
        chosen_rows = self.source[top:bottom, left:right][indices[0] - top]
        # rows are chosen several times as fast as columns, and [:, indices] would return columns one after the other
        return cv2.transpose(cv2.transpose(chosen_rows)[indices[1] - left])

    def _linear(self, rows: slice, columns: slice, is_mirrored: bool = False) -> np.ndarray:
        read, matrix = [], np.zeros((2, 3))
        for axis, one in enumerate((rows, columns)):
            length, source_length = self.shape[axis], self.source.shape[axis]
            step = source_length / length
            first = (one.start + 0.5) * step - 0.5  # where the centre of the first pixel lies in the source
            start = max(0, int(first) - _MARGIN_PX)
            read.append(slice(start, min(source_length, int(first + (one.stop - one.start) * step) + _MARGIN_PX + 1)))
            matrix[1 - axis, 1 - axis], matrix[1 - axis, 2] = step, first - start
        size = columns.stop - columns.start, rows.stop - rows.start
        if max(*size, *(one.stop - one.start for one in read)) > _LARGEST_WARP_PX:
            whole = self._scaled_as_a_whole(rows, columns)
            return whole[:, ::-1] if is_mirrored else whole
        if is_mirrored:
            matrix[0, 2] += (size[0] - 1) * matrix[0, 0]
            matrix[0, 0] *= -1
        has_three_channels = self.shape[2:] == (3,)  # 4 channels are warped more than twice as fast as 3
        part = self._read_bgra(*read) if has_three_channels else np.ascontiguousarray(self.source[read[0], read[1]])
        method = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(part, matrix, size, flags=method, borderMode=cv2.BORDER_REPLICATE)
        return cv2.cvtColor(warped, cv2.COLOR_BGRA2BGR) if has_three_channels else warped

    def _read_bgra(self, rows: slice, columns: slice) -> np.ndarray:
        if isinstance(self.source, BgraSource):
            return self.source.with_fourth_channel((rows, columns))
        return cv2.cvtColor(self.source[rows, columns], cv2.COLOR_BGR2BGRA)

    def _scaled_as_a_whole(self, rows: slice, columns: slice) -> np.ndarray:
        whole = np.ascontiguousarray(self.source[:, :])
        return cv2.resize(whole, self.shape[1::-1], interpolation=cv2.INTER_LINEAR)[rows, columns]


class LazyPart:
    """A part of a LazyPicture, whose pixels are computed later, mirrored or not.

    Args:
        picture, part: `picture[part]` are the pixels.
    """

    def __init__(self, picture: LazyPicture, part: tuple[slice, slice]) -> None:
        self.picture, self.part = picture, part
        self.shape = (*(len(range(*part[axis].indices(picture.shape[axis]))) for axis in (0, 1)), *picture.shape[2:])

    def pixels(self, is_mirrored: bool = False) -> np.ndarray:
        """Return the pixels; uint8."""
        return self.picture.mirrored(self.part) if is_mirrored else self.picture[self.part]


@functools.cache
def _warp_is_exact() -> bool:
    """Return whether OpenCV's `warpAffine` interpolates as exactly as its `resize`; before 4.11 it did not."""
    noise = np.random.default_rng(0).integers(0, 256, (31, 37, 3), dtype=np.uint8)
    picture = LazyPicture(noise, (45, 50))
    warped = picture._linear(slice(0, 45), slice(0, 50)).astype(int)
    return bool(np.abs(warped - cv2.resize(noise, (50, 45), interpolation=cv2.INTER_LINEAR)).max() <= 1)
