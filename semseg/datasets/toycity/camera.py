"""The camera of the car: a pinhole model that projects metres to pixels.

World: x to the right, y up, z along the street, in metres; the camera stands at (0, height_m, 0).
Picture: u to the right, v down, in pixels; pixel (column, row) covers [column, column + 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

NEAR_M = 0.5
"""Nothing that is nearer than this is drawn."""

_MIN_EXTENT_PX = 0.7  # smallest width plus height of a bounding box that is drawn
_FAR_PX = 20000.0  # far outside of any picture, and within the range of OpenCV's fixed point coordinates


@dataclass(frozen=True)
class Camera:
    """A pinhole camera behind the windscreen.

    Angles are in radians: pitch looks down, yaw looks right, roll turns clockwise.
    """

    width: int
    height: int
    focal_px: float
    height_m: float
    pitch: float
    yaw: float
    roll: float

    @cached_property
    def horizon(self) -> float:
        """Row of the horizon in the middle of the picture, in pixels; roll is neglected."""
        return self.height / 2 - self.focal_px * np.tan(self.pitch)

    @cached_property
    def matrix(self) -> np.ndarray:
        """Projection matrix, shape (3, 4): homogeneous metres to homogeneous pixels."""
        sin, cos = np.sin, np.cos
        yaw = np.array([[cos(self.yaw), 0, -sin(self.yaw)], [0, 1, 0], [sin(self.yaw), 0, cos(self.yaw)]])
        pitch = np.array([[1, 0, 0], [0, cos(self.pitch), sin(self.pitch)], [0, -sin(self.pitch), cos(self.pitch)]])
        roll = np.array([[cos(self.roll), sin(self.roll), 0], [-sin(self.roll), cos(self.roll), 0], [0, 0, 1]])
        rotation = roll @ pitch @ yaw
        flip = np.diag([1.0, -1.0, 1.0])  # the picture's v points down
        intrinsics = np.array([[self.focal_px, 0, self.width / 2], [0, self.focal_px, self.height / 2], [0, 0, 1]])
        matrix = intrinsics @ flip @ rotation
        return np.column_stack([matrix, -matrix @ np.array([0, self.height_m, 0])])

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project points in front of the camera.

        Args:
            points: metres, shape (n, 3).

        Returns:
            Pixels, shape (n, 2), and depths in metres, shape (n,).
        """
        homogeneous = points @ self.matrix[:, :3].T + self.matrix[:, 3]
        depth = homogeneous[:, 2]
        return homogeneous[:, :2] / np.maximum(depth, NEAR_M)[:, None], depth

    def outline(self, points: np.ndarray) -> np.ndarray:
        """Project a flat polygon, clipped in front of the camera.

        Args:
            points: metres, shape (n, 3).

        Returns:
            Pixels, float32, shape (m, 2); m is 0 if no part of it is in front of the camera.
        """
        homogeneous = np.asarray(points, float) @ self.matrix[:, :3].T + self.matrix[:, 3]
        depth = homogeneous[:, 2]
        if depth.min() < NEAR_M:
            homogeneous = _cut_near(homogeneous)
            if len(homogeneous) < 3:
                return np.zeros((0, 2), np.float32)
            depth = homogeneous[:, 2]
        pixels = homogeneous[:, :2] / depth[:, None]
        return np.clip(pixels, -_FAR_PX, _FAR_PX).astype(np.float32)

    def homography(self, origin: np.ndarray, along: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Return the homography from a plane to the picture.

        Args:
            origin: metres, shape (3,).
            along: metres per step of the plane's first coordinate, shape (3,).
            up: metres per step of the plane's second coordinate, shape (3,).

        Returns:
            Shape (3, 3): homogeneous plane coordinates to homogeneous pixels.
        """
        rotation, offset = self.matrix[:, :3], self.matrix[:, 3]
        return np.column_stack([rotation @ along, rotation @ up, rotation @ origin + offset])

    def sees(self, pixels: np.ndarray) -> bool:
        """Return whether a projected polygon is large enough to be drawn and its bounding box meets the picture."""
        if len(pixels) < 3:
            return False
        columns, rows = pixels[:, 0].tolist(), pixels[:, 1].tolist()  # faster than numpy for few corners
        left, right, top, bottom = min(columns), max(columns), min(rows), max(rows)
        is_inside = right > 0 and left < self.width and bottom > 0 and top < self.height
        return is_inside and right - left + bottom - top > _MIN_EXTENT_PX


def _cut_near(homogeneous: np.ndarray) -> np.ndarray:
    """Clip a polygon to depth >= NEAR_M (Sutherland and Hodgman)."""
    kept = []
    for index in range(len(homogeneous)):
        current, previous = homogeneous[index], homogeneous[index - 1]
        if (current[2] >= NEAR_M) != (previous[2] >= NEAR_M):
            share = (NEAR_M - previous[2]) / (current[2] - previous[2])
            kept.append(previous + share * (current - previous))
        if current[2] >= NEAR_M:
            kept.append(current)
    return np.array(kept)
