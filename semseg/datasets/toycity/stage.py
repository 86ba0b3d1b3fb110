"""The stage: turns shapes in metres into lit marks in the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from semseg.datasets.toycity.camera import NEAR_M, Camera
from semseg.datasets.toycity.light import Light
from semseg.datasets.toycity.scene import Art, Clear, Fill, Ground, Mark, Shadow

_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 13)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 13)[:-1])], 1)
UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Pose:
    """Where a thing stands and where it heads; yaw 0 is away from the camera, radians, clockwise."""

    x: float
    z: float
    yaw: float = 0.0

    def world(self, local: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
        """Move points from (forward, up, right) of the thing to the world, metres, shape (n, 3)."""
        sin, cos = math.sin(self.yaw), math.cos(self.yaw)
        turn = np.array([(sin, 0.0, cos), (0.0, 1.0, 0.0), (cos, 0.0, -sin)])
        return np.asarray(local, float) @ turn + (self.x, 0.0, self.z)


@dataclass(frozen=True)
class Stage:
    """Camera, light and chance of one picture; every method returns marks, none where nothing is seen."""

    camera: Camera
    light: Light
    rng: np.random.Generator

    def px_per_m(self, z: float) -> float:
        """Scale of the picture at a distance."""
        return self.camera.focal_px / max(z, NEAR_M)

    def fill(
        self,
        points: np.ndarray,
        color: np.ndarray,
        end: np.ndarray | None = None,
        *,
        sideways: bool = False,
        texture: str | None = None,
        grain: float = 0.0,
        texel_m: float = 0.02,
    ) -> list[Mark]:
        """Mark a flat polygon given in metres, in colours that are lit already."""
        pixels = self.camera.outline(points)
        if not self.camera.sees(pixels):
            return []
        if texture is None:
            return [Fill(pixels, color, end, sideways)]
        depth = max(NEAR_M, float(np.mean(points[:, 2])))
        texel_px = self._texel_px(texel_m, depth)
        return [Fill(pixels, color, end, sideways, texture, grain, texel_px, self.anywhere())]

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
        """Mark one side of a convex body, if it looks at the camera.

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
        lit = self.light.on(color, normal)
        end = lit * (1 - fade) if fade else None
        return self.fill(points, lit, end, texture=texture, grain=grain, texel_m=texel_m)

    def visible_normal(self, points: np.ndarray, centre: np.ndarray) -> np.ndarray | None:
        """The outward unit normal of a side of a convex body; None if the side looks away."""
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = points[0], points[1], points[2]
        ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        length = (nx * nx + ny * ny + nz * nz) ** 0.5
        if length < 1e-9:
            return None
        if nx * (ax - centre[0]) + ny * (ay - centre[1]) + nz * (az - centre[2]) < 0:
            length = -length
        nx, ny, nz = nx / length, ny / length, nz / length
        if nx * -ax + ny * (self.camera.height_m - ay) + nz * -az <= 1e-6:
            return None
        return np.array([nx, ny, nz])

    def box(
        self, pose: Pose, forward: tuple, up: tuple, right: tuple, color: np.ndarray, **look: float | str
    ) -> list[Mark]:
        """Mark the visible sides of a box given by its extents in the thing's coordinates."""
        (f0, f1), (u0, u1), (r0, r1) = forward, up, right
        corners = pose.world([(f, u, r) for f in (f0, f1) for u in (u0, u1) for r in (r0, r1)])
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
        **look: float | str,
    ) -> list[Mark]:
        """Mark the hull of balls: one is a ball, two a limb, more a body.

        Args:
            points: centres in metres, shape (n, 3).
            radii: metres, n of them.
            color: of the material, RGB.
            rounded: shade it from the side of the sun to the other.
            min_px: the smallest radius in the picture.
            look: texture, grain and texel_m of `fill`.
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
        lit = self.light.on(color)
        end = None
        if rounded:
            lit, end = lit * 1.12, lit * 0.72
            if self.light.sun[0] > 0:
                lit, end = end, lit
        texture = look.get("texture")
        if texture is None:
            return [Fill(hull, lit, end, sideways=True)]
        texel_px = self._texel_px(look.get("texel_m", 0.02), float(depth.mean()))
        return [Fill(hull, lit, end, True, texture, look.get("grain", 0.2), texel_px, self.anywhere())]

    def ring(self, points: np.ndarray, radius_m: float, color: np.ndarray) -> list[Mark]:
        """Mark a closed tube through the points, such as a tyre; what it encloses stays clear."""
        outline = self.camera.outline(points)
        if not self.camera.sees(outline):
            return []
        marks: list[Mark] = [Clear(outline)]
        for index in range(len(points)):
            marks += self.blob(points[[index - 1, index]], [radius_m, radius_m], color, min_px=0.35)
        return marks

    def art(self, image: np.ndarray, corners: np.ndarray) -> list[Mark]:
        """Mark a drawing that hangs in the world.

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

    def ground(
        self,
        corners: Sequence[tuple[float, float]],
        color: np.ndarray,
        texture: str,
        grain: float,
        tile_m: float,
    ) -> list[Mark]:
        """Mark a polygon on the ground, given by its (x, z) corners."""
        outline = self.camera.outline(flat(corners))
        if not self.camera.sees(outline):
            return []
        lit = self.light.on(color, UP)
        return [Ground(outline, lit, texture, grain, tile_m, self.anywhere())]

    def paint_line(self, corners: Sequence[tuple[float, float]], color: np.ndarray) -> list[Mark]:
        """Mark paint on the road."""
        return self.fill(flat(corners), self.light.on(color, UP), texture="asphalt", grain=0.16, texel_m=0.01)

    def shadows(self, pose: Pose, length: float, width: float, height: float) -> list[Shadow]:
        """The dark under a box-shaped thing, and its shadow if the sun shines."""
        half, side = length / 2, width / 2
        foot = pose.world([(-half, 0, -side), (-half, 0, side), (half, 0, side), (half, 0, -side)])
        shadows = [(foot * (1.0, 0.0, 1.0), 0.62, True)]
        if self.light.shadow:
            reach = self.light.sun / max(self.light.sun[1], 0.12) * height
            top = foot - (reach[0], 0.0, reach[2])
            hull = cv2.convexHull(np.concatenate([foot, top])[:, [0, 2]].astype(np.float32))[:, 0]
            shadows.append((flat(hull), self.light.shadow, False))
        found = []
        for points, strength, is_contact in shadows:
            outline = self.camera.outline(points)
            if self.camera.sees(outline):
                found.append(Shadow(outline, strength, is_contact))
        return found

    def _texel_px(self, texel_m: float, depth_m: float) -> float:
        """Size of a texel in the picture, within what can be drawn in reasonable time."""
        return min(max(texel_m * self.px_per_m(depth_m), 0.15), 12.0)

    def anywhere(self) -> tuple[int, int]:
        """A random place in a texture."""
        both = int(self.rng.integers(0, 512 * 512))
        return both % 512, both // 512

    def chance(self, share: float) -> bool:
        """Throw a coin that shows heads with the given share."""
        return bool(self.rng.random() < share)

    def between(self, low: float, high: float) -> float:
        """Draw a number."""
        return float(self.rng.uniform(low, high))

    def choose(self, options: Sequence) -> object:
        """Draw one of the options."""
        return options[int(self.rng.integers(len(options)))]


def flat(corners: Sequence[tuple[float, float]] | np.ndarray) -> np.ndarray:
    """Lay (x, z) corners on the ground, metres, shape (n, 3)."""
    corners = np.asarray(corners, float)
    return np.stack([corners[:, 0], np.zeros(len(corners)), corners[:, 1]], axis=1)
