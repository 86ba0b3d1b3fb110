"""Cut a labelled picture into the regions whose label can be wrong.

Two kinds of regions are candidates:

* Each connected component of one class in the labels: its class may be wrong.
* Each connected component of pixels that have one given class and one other predicted class: a part of the labels may
  be wrong, such as an object that nobody drew, or an outline that was drawn too wide. A component that covers most of
  a region of the first kind is left out, because it would be the same suspicion twice.

Pixels are connected with their 8 neighbours, so a thin diagonal pole is one region.

Labels and predictions are uncertain at every border between classes. Therefore a pixel counts by its distance from the
border of its region: 1/R for a border pixel, 1 from the distance R on. A region of the second kind that nowhere reaches
this distance is a strip along a border, and is left out. R is a hundredth of the shorter side of the picture.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from semseg.analysis.suspects.scoring import log_probabilities

_BORDER_SHARE = 0.01  # of the shorter side: CamVid's borders of 480 x 360 are wrong by up to 3 px
_SAME_REGION = 0.5  # share of a region from which a part of it is the region


class Candidates(NamedTuple):
    """The regions of one picture; those of the labels come first.

    Attributes:
        boxes: left, top, width, height in pixels, int64, shape (num_regions, 4).
        areas: pixels, int64, shape (num_regions,).
        given: train id in the labels, int64, shape (num_regions,).
        whole: position of the region of the labels that a part lies in; for a region of the labels, its own, int64,
            shape (num_regions,).
        log_probabilities: mean over the pixels, weighted by the distance from the border, see `scoring`, float64,
            shape (num_regions, num_classes).
        label_map: number of the whole region of each pixel, counted from 1, 0 for none, int32, shape (height, width).
        part_map: as `label_map`, for parts.
    """

    boxes: np.ndarray
    areas: np.ndarray
    given: np.ndarray
    whole: np.ndarray
    log_probabilities: np.ndarray
    label_map: np.ndarray
    part_map: np.ndarray

    @property
    def is_part(self) -> np.ndarray:
        """Whether each region is a part of a region of the labels, bool, shape (num_regions,)."""
        return self.whole != np.arange(len(self.whole))

    def mask_of(self, index: int) -> np.ndarray:
        """Return where a region is: bool, shape (height, width)."""
        num_whole = int((~self.is_part).sum())
        return self.part_map == index - num_whole + 1 if self.is_part[index] else self.label_map == index + 1


def border_px(shape: tuple[int, ...]) -> int:
    """Return R, the distance from a border within which pixels count less, for a picture of (height, width)."""
    return max(2, round(_BORDER_SHARE * min(shape)))


def find_candidates(target: np.ndarray, probabilities: np.ndarray, min_area_px: int) -> Candidates:
    """Find the regions of a picture, and pool the logarithms of the probabilities over each.

    Args:
        target: the labels, train ids, uint8, shape (height, width); values without a class, such as 255, are ignored.
        probabilities: of the model, 0 to 1, shape (num_classes, height, width).
        min_area_px: smaller regions are left out.
    """
    num_classes = len(probabilities)
    predicted = probabilities.argmax(axis=0)
    has_class = target < num_classes
    label_map, given, boxes, areas = _components(np.where(has_class, target.astype(np.int64), -1), min_area_px)
    pairs = np.where(has_class & (predicted != target), target.astype(np.int64) * num_classes + predicted, -1)
    part_map, pair_values, part_boxes, part_areas = _components(pairs, min_area_px)
    depth = _distances(part_map)
    within = label_map[part_map > 0]  # whole region of each pixel of a part; a part lies in one
    deepest, whole_of = (np.zeros(len(part_areas) + 1, kind) for kind in (np.float32, np.int64))
    np.maximum.at(deepest, part_map.ravel(), depth.ravel())
    whole_of[part_map[part_map > 0]] = within
    whole_areas = np.concatenate([[np.inf], areas])[whole_of[1:]]  # too small regions are 0
    is_kept = (deepest[1:] >= border_px(target.shape)) & (part_areas < _SAME_REGION * whole_areas)
    part_map = np.concatenate([[0], np.where(is_kept, np.cumsum(is_kept), 0)])[part_map].astype(np.int32)
    part_pairs = pair_values[is_kept]
    values = log_probabilities(probabilities)
    pooled = [pool(map_, values, len(rows)) for map_, rows in ((label_map, given), (part_map, part_pairs))]
    return Candidates(
        boxes=np.concatenate([boxes, part_boxes[is_kept]]),
        areas=np.concatenate([areas, part_areas[is_kept]]),
        given=np.concatenate([given, part_pairs // num_classes]),
        whole=np.concatenate([np.arange(len(given)), whole_of[1:][is_kept] - 1]),
        log_probabilities=np.concatenate(pooled),
        label_map=label_map,
        part_map=part_map,
    )


def share_around(candidates: Candidates, index: int, train_id: int, target: np.ndarray) -> float:
    """Return the share of the pixels around a part, up to the distance R, that have this label."""
    radius = border_px(target.shape)
    left, top, width, height = candidates.boxes[index]
    window = np.s_[max(0, top - radius) : top + height + radius, max(0, left - radius) : left + width + radius]
    mask = candidates.mask_of(index)[window].view(np.uint8)
    ring = cv2.dilate(mask, np.ones((2 * radius + 1,) * 2, np.uint8)) > mask
    return float((target[window][ring] == train_id).mean()) if ring.any() else 0.0


def pool(region_map: np.ndarray, values: np.ndarray, num_regions: int) -> np.ndarray:
    """Return the weighted mean of values over each region: float64, shape (num_regions, num_classes).

    Args:
        region_map: number of the region of each pixel, 1 to `num_regions`, 0 for none, shape (height, width).
        values: shape (num_classes, height, width).
        num_regions: how many there are.
    """
    is_inside = region_map > 0
    numbers = region_map[is_inside]
    weights = np.minimum(_distances(region_map)[is_inside], border_px(region_map.shape))
    total = np.bincount(numbers, weights, num_regions + 1)[1:]
    sums = [np.bincount(numbers, weights * plane[is_inside], num_regions + 1)[1:] for plane in values]
    return (np.stack(sums, axis=1) / total[:, None]).reshape(num_regions, len(values))


def _components(values: np.ndarray, min_area_px: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the connected components of equal values: their map, and value, box and area of each; -1 has none.

    All values are labelled at once, however many there are: runs of equal values in a row are the nodes of a graph,
    and touching runs of two rows are its edges.
    """
    height, width = values.shape
    is_start = np.ones(values.shape, bool)
    is_start[:, 1:] = values[:, 1:] != values[:, :-1]
    run_map = np.cumsum(is_start, dtype=np.int32).reshape(values.shape) - 1
    tops, lefts = np.nonzero(is_start)
    lengths = np.diff(np.append(tops * width + lefts, height * width))
    edges = [_touching_runs(run_map, values, shift) for shift in (-1, 0, 1)]
    uppers, lowers = (np.concatenate(ends) for ends in zip(*edges, strict=True))
    graph = coo_array((np.ones(len(uppers), bool), (uppers, lowers)), shape=(len(tops), len(tops)))
    num_components, component_of_run = connected_components(graph, directed=False)

    def extreme(of: np.ufunc, numbers: np.ndarray, start: int) -> np.ndarray:
        result = np.full(num_components, start)
        of.at(result, component_of_run, numbers)
        return result

    areas = np.bincount(component_of_run, lengths, num_components).astype(np.int64)
    component_values = np.empty(num_components, np.int64)
    component_values[component_of_run] = values[tops, lefts]
    left, top = extreme(np.minimum, lefts, width), extreme(np.minimum, tops, height)
    right, bottom = extreme(np.maximum, lefts + lengths, 0), extreme(np.maximum, tops + 1, 0)
    boxes = np.stack([left, top, right - left, bottom - top], axis=1)
    is_kept = (component_values >= 0) & (areas >= min_area_px)
    numbers = np.where(is_kept, np.cumsum(is_kept), 0).astype(np.int32)
    return numbers[component_of_run][run_map], component_values[is_kept], boxes[is_kept], areas[is_kept]


def _touching_runs(run_map: np.ndarray, values: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Return runs of equal value that touch: each run, and one of the next row, `shift` columns to the right."""
    width = values.shape[1]
    upper, lower = np.s_[:-1, max(0, -shift) : width - max(0, shift)], np.s_[1:, max(0, shift) : width + min(0, shift)]
    is_equal = values[upper] == values[lower]
    uppers, lowers = run_map[upper][is_equal], run_map[lower][is_equal]
    is_new = np.ones(len(uppers), bool)  # neighbouring pixels give the same pair again
    is_new[1:] = (np.diff(uppers) != 0) | (np.diff(lowers) != 0)
    return uppers[is_new], lowers[is_new]


def _distances(region_map: np.ndarray) -> np.ndarray:
    """Return the distance of each pixel from the border of its region, 1 at the border, float32."""
    numbers = region_map.astype(np.float32)  # exact up to 16 million regions
    around = np.ones((3, 3), np.uint8)
    is_border = cv2.dilate(numbers, around) != cv2.erode(numbers, around)
    return cv2.distanceTransform((~is_border).view(np.uint8), cv2.DIST_L2, 3) + 1
