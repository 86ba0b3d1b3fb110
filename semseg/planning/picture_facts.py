"""Facts about one labelled picture: colours, places, objects, widths, and what is left of it at a lower resolution.

Two of them need an explanation.

**Width.** Between pixels of two classes lies an edge. On a grid of twice the resolution, in which the odd places are
the pixels and the even ones lie between them, the edges are marked, and every place gets its distance to the nearest
one. Across a stripe of w pixels the distance rises to w half-pixels on its middle line, for odd and even w. So the
local maxima of the distance (the ridge) are the middle lines, and their values are the widths in pixels. The border of
the picture is no edge: a road that leaves the picture is not narrow.

**Kept share.** A network that predicts at 1/s of the resolution gives every s-th pixel a score for each class, and the
scores are enlarged. The same is done with the truth: the share of each class in s x s pixels, enlarged bilinearly, and
the largest wins. The IoU of the result with the truth is what a network of this stride can keep of a class, if it knows
everything. Structures of a few pixels vanish.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.image_files import read_image
from semseg.datasets.masks import decode_pair
from semseg.datasets.pairs import Pair
from semseg.errors import InvalidDataError
from semseg.labels import IGNORED

STRIDES = (2, 4, 8, 16, 32)
NUM_BANDS = 4  # of the picture, from top to bottom and from left to right
MAX_WIDTH = 512  # px; wider structures count as this wide
_MOST_PIXELS = 2_000_000  # a larger picture is measured at every n-th row and column
_SMALLEST_OBJECT = 4  # px; smaller ones are specks of the annotation
_COLOR_STEP = 4  # colours are measured at every fourth row and column


class PictureFacts(NamedTuple):
    """What is known of a picture; C classes, S = len(STRIDES), B = NUM_BANDS.

    Attributes:
        size: height and width, px.
        step: only every `step`-th row and column was measured; widths and areas are in pixels of the picture.
        color_mean: RGB, float64, shape (3,), 0..255.
        color_std: as `color_mean`.
        hue: sum of the unit vectors of the hues, weighted by saturation, shape (2,); and that of the weights.
        saturation: mean, 0..1.
        rows: pixels by class and band from top to bottom, int64, shape (C, B).
        columns: as `rows`, from left to right.
        pixels: by class, int64, shape (C,).
        ignored: number of ignored pixels.
        border: number of pixels beside one of another class.
        widths: pixels of the ridges by class and width, int64, shape (C, MAX_WIDTH + 1).
        objects: class, area (px) and largest width (px) of each object, float64, shape (n, 3).
        kept: intersection and union at each stride, by class, int64, shape (S, C, 2).
    """

    size: tuple[int, int]
    step: int
    color_mean: np.ndarray
    color_std: np.ndarray
    hue: tuple[float, float, float]
    saturation: float
    rows: np.ndarray
    columns: np.ndarray
    pixels: np.ndarray
    ignored: int
    border: int
    widths: np.ndarray
    objects: np.ndarray
    kept: np.ndarray


def measure_picture(dataset_file: str, pair: Pair) -> PictureFacts:
    """Measure a picture of a dataset.yaml.

    Raises:
        FileNotFoundError, ValueError: as in `read_image` and `decode_pair`; or picture and mask differ in size.
    """
    rules = read_dataset_file(dataset_file)
    image = read_image(Path(pair.image_path), rules.exif, rules.bits)
    train_ids = decode_pair(pair.image_path, pair.mask_path, pair.roi_path, rules)
    if image.shape[:2] != train_ids.shape:
        (height, width), (mask_height, mask_width) = image.shape[:2], train_ids.shape
        raise InvalidDataError(
            f"{pair.mask_path} is {mask_width}x{mask_height}, its image {pair.image_path} is {width}x{height}; masks"
            " are drawn at the size of their image",
            code="E-data-size",
        )
    return measure_arrays(image, train_ids, len(rules.classes))


def measure_arrays(image: np.ndarray, train_ids: np.ndarray, num_classes: int) -> PictureFacts:
    """Measure a picture.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        train_ids: uint8, shape (height, width), 255 for ignored.
        num_classes: of the set.
    """
    height, width = train_ids.shape
    step = max(1, int(np.ceil(np.sqrt(height * width / _MOST_PIXELS))))
    small = np.ascontiguousarray(train_ids[::step, ::step])
    counts = np.bincount(train_ids.ravel(), minlength=256)
    is_edge_right, is_edge_below = small[:, 1:] != small[:, :-1], small[1:] != small[:-1]
    is_border = np.zeros(small.shape, bool)
    for part, edges in ((np.s_[:, 1:], is_edge_right), (np.s_[:, :-1], is_edge_right)):
        is_border[part] |= edges
    for part, edges in ((np.s_[1:], is_edge_below), (np.s_[:-1], is_edge_below)):
        is_border[part] |= edges
    distance = _edge_distance(small)
    colors = image[::_COLOR_STEP, ::_COLOR_STEP].reshape(-1, 3)
    return PictureFacts(
        size=(height, width),
        step=step,
        color_mean=colors.mean(axis=0),
        color_std=colors.std(axis=0),
        **_measure_hues(colors),
        rows=_count_bands(small, num_classes),
        columns=_count_bands(small.T, num_classes),
        pixels=counts[:num_classes].astype(np.int64),
        ignored=int(counts[IGNORED]),
        border=int(np.count_nonzero(is_border & (small != IGNORED))) * step,
        widths=_measure_widths(small, distance, num_classes, step),
        objects=_measure_objects(small, _widest_at(distance), num_classes, step),
        kept=np.stack([_measure_kept(small, stride / step, num_classes) for stride in STRIDES]),
    )


def _measure_hues(colors: np.ndarray) -> dict:
    hls = cv2.cvtColor(colors[None], cv2.COLOR_RGB2HSV)[0].astype(np.float64)
    angles, saturation = hls[:, 0] * (np.pi / 90), hls[:, 1] / 255  # OpenCV: hue 0..180
    vector = float((np.cos(angles) * saturation).sum()), float((np.sin(angles) * saturation).sum())
    return {"hue": (*vector, float(saturation.sum())), "saturation": float(saturation.mean())}


def _count_bands(train_ids: np.ndarray, num_classes: int) -> np.ndarray:
    bands = np.array_split(train_ids, NUM_BANDS)
    return np.stack([np.bincount(band.ravel(), minlength=256)[:num_classes] for band in bands], axis=1)


def _edge_distance(train_ids: np.ndarray) -> np.ndarray:
    """Return the distance to the nearest edge in half-pixels, float32, shape (2 * height + 1, 2 * width + 1).

    Where a picture has a single class, every distance is that to a place far outside.
    """
    height, width = train_ids.shape
    free = np.ones((2 * height + 1, 2 * width + 1), np.uint8)
    right, below = train_ids[:, 1:] == train_ids[:, :-1], train_ids[1:] == train_ids[:-1]
    free[1::2, 2:-1:2] = right
    free[2:-1:2, 1::2] = below
    free[2:-1:2, 2:-1:2] = right[1:] & right[:-1] & below[:, 1:] & below[:, :-1]
    free[:, [0, -1]] = free[:, [1, -2]]  # the edges go on to the border, which is none itself
    free[[0, -1]] = free[[1, -2]]
    if free.all():
        return np.full(free.shape, 2.0 * MAX_WIDTH, np.float32)
    return cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def _widest_at(distance: np.ndarray) -> np.ndarray:
    """Return the largest distance in each pixel, and right and below of it, where middle lines of even widths lie.

    Edges have distance 0, so that no value of another class counts.
    """
    right_and_below = distance[1:, 1:]
    return np.maximum.reduce([right_and_below[row::2, column::2] for row in (0, 1) for column in (0, 1)])


def _measure_widths(train_ids: np.ndarray, distance: np.ndarray, num_classes: int, step: int) -> np.ndarray:
    ridge = (distance > 0) & (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8)))
    rows, columns = np.nonzero(ridge)
    height, width = train_ids.shape
    classes = train_ids[np.minimum(rows // 2, height - 1), np.minimum(columns // 2, width - 1)]
    widths = np.minimum(np.rint(distance[rows, columns]).astype(np.int64) * step, MAX_WIDTH)
    counted = classes < num_classes
    flat = classes[counted].astype(np.int64) * (MAX_WIDTH + 1) + widths[counted]
    return np.bincount(flat, minlength=num_classes * (MAX_WIDTH + 1)).reshape(num_classes, MAX_WIDTH + 1)


def _measure_objects(train_ids: np.ndarray, distance: np.ndarray, num_classes: int, step: int) -> np.ndarray:
    found = []
    for train_id in np.flatnonzero(np.bincount(train_ids.ravel(), minlength=256)[:num_classes]):
        num, parts, stats, _ = cv2.connectedComponentsWithStats(
            (train_ids == train_id).astype(np.uint8), connectivity=8
        )
        widest = np.zeros(num, np.float32)
        np.maximum.at(widest, parts.ravel(), distance.ravel())
        areas = stats[1:, cv2.CC_STAT_AREA].astype(np.float64)
        columns = np.full(num - 1, train_id), areas * step**2, np.minimum(widest[1:] * step, MAX_WIDTH)
        found.append(np.stack(columns, axis=1)[areas >= _SMALLEST_OBJECT])
    return np.concatenate(found) if found else np.zeros((0, 3))


def _measure_kept(train_ids: np.ndarray, stride: float, num_classes: int) -> np.ndarray:
    """Return intersection and union of each class with itself at 1/stride of the resolution, shape (C, 2)."""
    height, width = train_ids.shape
    present = np.flatnonzero(np.bincount(train_ids.ravel(), minlength=256)[:num_classes])
    small_size = max(1, round(width / stride)), max(1, round(height / stride))
    best = np.full(train_ids.shape, -1.0, np.float32)
    kept_ids = np.full(train_ids.shape, IGNORED, np.uint8)
    for train_id in present:
        shares = cv2.resize((train_ids == train_id).astype(np.float32), small_size, interpolation=cv2.INTER_AREA)
        enlarged = cv2.resize(shares, (width, height), interpolation=cv2.INTER_LINEAR)
        wins = enlarged > best
        best[wins], kept_ids[wins] = enlarged[wins], train_id
    labelled = train_ids != IGNORED
    target, kept = train_ids[labelled], kept_ids[labelled]
    both = np.bincount(target[target == kept], minlength=256)[:num_classes]
    either = np.bincount(target, minlength=256)[:num_classes] + np.bincount(kept, minlength=256)[:num_classes] - both
    return np.stack([both, either], axis=1)
