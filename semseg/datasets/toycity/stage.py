"""Turns shapes in metres into lit marks in the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from semseg.datasets.toycity import textures
from semseg.datasets.toycity.camera import NEAR_M, Camera
from semseg.datasets.toycity.light import Light
from semseg.datasets.toycity.scene import Art, Clear, Fill, Ground, Mark, Shadow

UP = np.array([0.0, 1.0, 0.0])


def circle(num_corners: int, turn: float = 0.0) -> np.ndarray:
    """Return the corners of a regular polygon in the unit circle, shape (num_corners, 2); `turn` in radians."""
    angles = np.linspace(0, 2 * np.pi, num_corners, endpoint=False) + turn
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def on_ground(corners: Sequence[tuple[float, float]] | np.ndarray) -> np.ndarray:
    """Return (x, z) corners as points of the ground, metres, shape (n, 3)."""
    corners = np.asarray(corners, float)
    return np.stack([corners[:, 0], np.zeros(len(corners)), corners[:, 1]], axis=1)


def disc(x: float, y: float, z: float, radius: float, num_corners: int = 16, turn: float = 0.0) -> np.ndarray:
    """Return the corners of a disc that faces the camera, metres, shape (num_corners, 3)."""
    return np.insert(circle(num_corners, turn) * radius + (x, y), 2, z, axis=1)


def plate(x0: float, x1: float, y0: float, y1: float, z: float) -> np.ndarray:
    """Return the corners of an upright rectangle that faces the camera, metres, shape (4, 3)."""
    return np.array([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], float)


_CIRCLE = circle(12)


@dataclass(frozen=True)
class Pose:
    """Position and heading of a thing; yaw 0 is away from the camera, radians, clockwise."""

    x: float
    z: float
    yaw: float = 0.0

    def to_world(self, local: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
        """Transform points from (forward, up, right) of the thing to the world, metres, shape (n, 3)."""
        sin, cos = math.sin(self.yaw), math.cos(self.yaw)
        turn = np.array([(sin, 0.0, cos), (0.0, 1.0, 0.0), (cos, 0.0, -sin)])
        return np.asarray(local, float) @ turn + (self.x, 0.0, self.z)


@dataclass(frozen=True)
class Stage:
    """Camera, light and random generator of one picture; methods that make marks return [] for what is not visible."""

    camera: Camera
    light: Light
    rng: np.random.Generator

    def px_per_m(self, z: float) -> float:
        """Return the scale of the picture at a distance."""
        return self.camera.focal_px / max(z, NEAR_M)

    def fill(
        self,
        points: np.ndarray,
        color: np.ndarray,
        end: np.ndarray | None = None,
        *,
        texture: str | None = None,
        grain: float = 0.0,
        texel_m: float = 0.02,
    ) -> list[Mark]:
        """Make the mark of a flat polygon given in metres, in colours that are lit already."""
        pixels = self.camera.outline(points)
        if not self.camera.sees(pixels):
            return []
        if texture is None:
            return [Fill(pixels, color, end)]
        depth = max(NEAR_M, float(np.mean(points[:, 2])))
        texel_px = self._texel_px(texel_m, depth)
        return [Fill(pixels, color, end, False, texture, grain, texel_px, self.random_offset())]

    def face(
        self,
        points: np.ndarray,
        centre: np.ndarray,
        color: np.ndarray,
        *,
        fade: float = 0.0,
        texture: str | None = None,
        grain: float = 0.0,
        texel_m: float = 0.02,
    ) -> list[Mark]:
        """Make the mark of one side of a convex body, if it faces the camera.

        Args:
            points: the corners in metres, shape (n, 3).
            centre: a point inside the body, shape (3,).
            color: of the material, RGB.
            fade: how much darker the lower edge is, 0 to 1.
            texture: a name in textures.py.
            grain: contrast of the texture.
            texel_m: metres per pixel of the texture.
        """
        normal = self.visible_normal(points, centre)
        if normal is None:
            return []
        lit = self.light.shade(color, normal)
        end = lit * (1 - fade) if fade else None
        return self.fill(points, lit, end, texture=texture, grain=grain, texel_m=texel_m)

    def visible_normal(self, points: np.ndarray, centre: np.ndarray) -> np.ndarray | None:
        """Return the outward unit normal of a side of a convex body; None if the side faces away from the camera."""
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = points[0], points[1], points[2]
        ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        length = (nx * nx + ny * ny + nz * nz) ** 0.5
        if nx * (ax - centre[0]) + ny * (ay - centre[1]) + nz * (az - centre[2]) < 0:
            length = -length
        nx, ny, nz = nx / length, ny / length, nz / length
        if nx * -ax + ny * (self.camera.height_m - ay) + nz * -az <= 1e-6:
            return None
        return np.array([nx, ny, nz])

    def box(self, pose: Pose, forward: tuple, up: tuple, right: tuple, color: np.ndarray, **look: Any) -> list[Mark]:
        """Make the marks of the visible sides of a box, given by its extents in the thing's coordinates.

        `look`: fade, texture, grain and texel_m of `face`.
        """
        (f0, f1), (u0, u1), (r0, r1) = forward, up, right
        corners = pose.to_world([(f, u, r) for f in (f0, f1) for u in (u0, u1) for r in (r0, r1)])
        centre = corners.mean(axis=0)
        marks: list[Mark] = []
        for side in ((2, 3, 7, 6), (0, 4, 6, 2), (1, 5, 7, 3), (0, 1, 3, 2), (4, 5, 7, 6)):
            marks += self.face(corners[list(side)], centre, color, **look)
        return marks

    def blob(
        self,
        points: np.ndarray,
        radii: Sequence[float],
        color: np.ndarray,
        *,
        rounded: bool = False,
        min_px: float = 0.0,
        texture: str | None = None,
        grain: float = 0.2,
        texel_m: float = 0.02,
    ) -> list[Mark]:
        """Make the mark of the convex hull of balls: one is a ball, two a limb, more a body.

        Args:
            points: centres in metres, shape (n, 3).
            radii: metres, n of them.
            color: of the material, RGB.
            rounded: darken the side that is away from the sun.
            min_px: the smallest radius in the picture.
            texture: a name in textures.py.
            grain: contrast of the texture.
            texel_m: metres per pixel of the texture.
        """
        pixels, depth = self.camera.project(np.asarray(points, float))
        if depth.min() < NEAR_M:
            return []
        radii_px = np.maximum(np.asarray(radii) * self.camera.focal_px / depth, min_px)
        circles = pixels[:, None] + radii_px[:, None, None] * _CIRCLE
        hull = circles.reshape(-1, 2).astype(np.float32)
        if len(points) > 1:
            hull = cv2.convexHull(hull)[:, 0]
        if not self.camera.sees(hull):
            return []
        lit = self.light.shade(color)
        end = None
        if rounded:
            lit, end = lit * 1.12, lit * 0.72
            if self.light.sun[0] > 0:
                lit, end = end, lit
        if texture is None:
            return [Fill(hull, lit, end, sideways=True)]
        texel_px = self._texel_px(texel_m, float(depth.mean()))
        return [Fill(hull, lit, end, True, texture, grain, texel_px, self.random_offset())]

    def ring(self, points: np.ndarray, radius_m: float, color: np.ndarray) -> list[Mark]:
        """Make the marks of a closed tube through points, such as a tyre; the enclosed area stays clear."""
        outline = self.camera.outline(points)
        if not self.camera.sees(outline):
            return []
        marks: list[Mark] = [Clear(outline)]
        for index in range(len(points)):
            marks += self.blob(points[[index - 1, index]], [radius_m, radius_m], color, min_px=0.35)
        return marks

    def art(self, image: np.ndarray, corners: np.ndarray) -> list[Mark]:
        """Make the mark of an upright image.

        Args:
            image: uint8, RGB or RGBA, shape (height, width, 3 or 4).
            corners: metres, shape (4, 3): bottom left, bottom right, top right, top left of a rectangle.
        """
        outline = self.camera.outline(corners)
        if not self.camera.sees(outline):
            return []
        height, width = image.shape[:2]
        along = (corners[1] - corners[0]) / width
        down = (corners[0] - corners[3]) / height
        return [Art(outline, image, self.camera.homography(corners[3], along, down))]

    def wall_art(self, image: np.ndarray, x: float, z0: float, z1: float, height: float) -> list[Mark]:
        """Make the mark of an image on a wall along the street that faces the street; see `art`."""
        left, right = (z1, z0) if x > 0 else (z0, z1)
        corners = [(x, 0, left), (x, 0, right), (x, height, right), (x, height, left)]
        return self.art(image, np.array(corners, float))

    def ground(
        self, corners: Sequence[tuple[float, float]], color: np.ndarray, texture: str, grain: float, tile_m: float
    ) -> list[Mark]:
        """Make the mark of a polygon on the ground, given by its (x, z) corners."""
        outline = self.camera.outline(on_ground(corners))
        if not self.camera.sees(outline):
            return []
        lit = self.light.shade(color, UP)
        return [Ground(outline, lit, texture, grain, tile_m, self.random_offset())]

    def paint_line(self, corners: Sequence[tuple[float, float]], color: np.ndarray) -> list[Mark]:
        """Make the mark of paint on the road, given by its (x, z) corners."""
        return self.fill(on_ground(corners), self.light.shade(color, UP), texture="asphalt", grain=0.16, texel_m=0.01)

    def shadows(self, pose: Pose, length: float, width: float, height: float) -> list[Shadow]:
        """Make the contact shadow of a box-shaped thing, and its shadow if the sun shines."""
        half, side = length / 2, width / 2
        foot = pose.to_world([(-half, 0, -side), (-half, 0, side), (half, 0, side), (half, 0, -side)])
        shadows = [(foot * (1.0, 0.0, 1.0), 0.62, True)]
        if self.light.shadow:
            reach = self.light.sun / max(self.light.sun[1], 0.12) * height
            top = foot - (reach[0], 0.0, reach[2])
            hull = cv2.convexHull(np.concatenate([foot, top])[:, [0, 2]].astype(np.float32))[:, 0]
            shadows.append((on_ground(hull), self.light.shadow, False))
        outlines = [Shadow(self.camera.outline(points), strength, contact) for points, strength, contact in shadows]
        return [shadow for shadow in outlines if self.camera.sees(shadow.polygon)]

    def _texel_px(self, texel_m: float, depth_m: float) -> float:
        """Return the size of a texel in the picture, in a range that can be drawn in reasonable time."""
        return min(max(texel_m * self.px_per_m(depth_m), 0.15), 12.0)

    def random_offset(self) -> tuple[int, int]:
        """Sample a column and a row of a texture."""
        row, column = divmod(int(self.rng.integers(0, textures.EDGE**2)), textures.EDGE)
        return column, row

    def pick_color(self, table: np.ndarray, spread: float = 0.0) -> np.ndarray:
        """Sample a row of a table of colours, and vary it by up to `spread` per channel."""
        color = table[self.rng.integers(len(table))]
        return color + self.rng.uniform(-spread, spread, 3) if spread else color

    def chance(self, share: float) -> bool:
        """Return True with probability `share`."""
        return self.rng.random() < share

    def between(self, low: float, high: float) -> float:
        """Sample a number."""
        return float(self.rng.uniform(low, high))
