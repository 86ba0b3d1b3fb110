"""Groups of pictures by how similar they look, from grey thumbnails of 9x8 pixels.

A thumbnail without its mean and contrast is a vector of 72 numbers; the distance of two pictures is sqrt(2 - 2 r), with
the correlation r of their thumbnails: 0 for equal ones, 1.4 for unrelated ones. It does not react to exposure, and a
few thousand pictures are compared in a second.

Pictures of one kind (retinas, cracks) all look alike, so a distance means nothing alone. It is compared with the
median distance of the picture to all others. Two pictures are neighbours if their distance is at most 0.15 of that
median, and at most 0.2 (r = 0.98). In a video from a car, frames at 15 Hz are at 0.03 to 0.1 of the median. The most
similar photographs of different retinas are at 0.28, of different pavements at 0.22. Frames of a car that are a second
apart are at 0.3 to 0.4; similarity alone therefore does not find those.

Groups that are known from elsewhere are confirmed if most pictures (three of four, and half of what chance leaves) have
the picture that looks most similar in their own group.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from semseg.datasets.groups.capture import join

MAX_DISTANCE = 0.2
MAX_SHARE = 0.15  # of the median distance
_CONFIRMED = 0.75
_NUM_REFERENCE = 500  # pictures from which a median is computed
_ROWS = 512  # of the matrix of distances, at a time
_NUM_SAMPLED, _NUM_OF_GROUP = 240, 12


class Confirmation(NamedTuple):
    """How often the most similar picture is in the same group.

    Attributes:
        share: of the sampled pictures, 0 to 1.
        chance: the share to expect if similarity had nothing to do with the groups.
        closeness: median of the distance to the most similar picture, as a share of the median distance to all.
        num_pictures: of the sample.
    """

    share: float
    chance: float
    closeness: float
    num_pictures: int

    @property
    def holds(self) -> bool:
        """Whether the groups are confirmed."""
        return self.share >= max(_CONFIRMED, self.chance + 0.5 * (1 - self.chance))

    @property
    def is_of_sequences(self) -> bool:
        """Whether the groups are confirmed, and half of the pictures have a neighbour as close as in a video."""
        return self.holds and self.closeness <= MAX_SHARE

    def words(self) -> str:
        """Return the numbers as half a sentence."""
        return (
            f"for {self.share:.0%} of {self.num_pictures} sampled pictures the most similar one is in their group"
            f" ({self.chance:.0%} by chance)"
        )


def choose_sample(groups: Sequence[str]) -> list[int]:
    """Choose up to 240 pictures: up to 12 neighbours of as many groups as fit, of groups with two members or more.

    Args:
        groups: of the pictures, which are in the order of their names.
    """
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    rows = [row for group, row in members.items() if group and len(row) > 1]
    random.Random(0).shuffle(rows)
    per_group = max(_NUM_OF_GROUP, _NUM_SAMPLED // max(1, len(rows)))
    chosen: list[int] = []
    for row in rows:
        start = (len(row) - per_group) // 2 if len(row) > per_group else 0
        if len(chosen) < _NUM_SAMPLED:
            chosen += row[start : start + per_group]
    return sorted(chosen)


def confirm(groups: Sequence[str], thumbnails: Sequence[str]) -> Confirmation | None:
    """Measure how often the most similar picture is in the same group.

    Args:
        groups: of the sampled pictures.
        thumbnails: of them, hexadecimal, see `file_facts.ImageFacts`.

    Returns:
        None if there are fewer than 8 pictures or only one group.
    """
    if len(groups) < 8 or len(set(groups)) < 2:
        return None
    vectors, names = _vectors(thumbnails), np.array(groups)
    distances = _distances(vectors, vectors)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(1)
    is_same = names[:, None] == names[None]
    chance = (is_same.sum(1) - 1).mean() / (len(names) - 1)
    finite = np.where(np.isinf(distances), np.nan, distances)
    closeness = np.median(distances.min(1) / np.maximum(np.nanmedian(finite, 1), 1e-6))
    return Confirmation(float((names[nearest] == names).mean()), float(chance), float(closeness), len(names))


def chain(thumbnails: Sequence[str]) -> list[int]:
    """Return the group of each picture, numbered from 0: neighbours and their neighbours are one group."""
    if len(thumbnails) < 3:
        return list(range(len(thumbnails)))
    vectors = _vectors(thumbnails)
    reference = vectors[:: max(1, len(vectors) // _NUM_REFERENCE)]
    pairs = []
    for start in range(0, len(vectors), _ROWS):
        rows = vectors[start : start + _ROWS]
        limits = np.minimum(MAX_DISTANCE, MAX_SHARE * np.median(_distances(rows, reference), 1))
        close = _distances(rows, vectors) <= limits[:, None]
        pairs += [(start + int(a), int(b)) for a, b in zip(*np.nonzero(close), strict=True) if start + a != b]
    return join(pairs, len(vectors))


def _vectors(thumbnails: Sequence[str]) -> np.ndarray:
    """Return thumbnails without mean and contrast: float32, shape (num_pictures, 72), each of length 1."""
    vectors = np.frombuffer(b"".join(map(bytes.fromhex, thumbnails)), np.uint8).reshape(len(thumbnails), -1)
    vectors = vectors - vectors.mean(1, keepdims=True, dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(0, 2 - 2 * (first @ second.T)))
