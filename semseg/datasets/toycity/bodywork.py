"""The parts of all vehicles: panels, bent sheets, panes and wheels.

The coordinates of a vehicle are (forward, up, right) in metres from the middle of its footprint.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from semseg.datasets.toycity.scene import Mark
from semseg.datasets.toycity.stage import Pose, Stage, circle

DARK = np.array([24.0, 24, 27])
TYRE = np.array([30.0, 30, 32])
RIM = np.array([150.0, 152, 156])
LAMP_WHITE = np.array([250.0, 248, 235])
LAMP_RED = np.array([200.0, 22, 26])


@dataclass
class Body:
    """Collects the marks of a vehicle."""

    stage: Stage
    pose: Pose
    marks: list[Mark] = field(default_factory=list)

    def add_box(self, forward: tuple, up: tuple, right: tuple, color: np.ndarray, **look: Any) -> None:
        """Add a box; see `Stage.box`."""
        self.marks += self.stage.box(self.pose, forward, up, right, color, **look)

    def add_side(self, profile: list[tuple[float, float]], right: float, color: np.ndarray, **look: Any) -> None:
        """Add a side panel given by (forward, up) corners; `look` as in `Stage.face`."""
        points = self.pose.to_world([(f, u, right) for f, u in profile])
        self.marks += self.stage.face(points, self._middle(), color, **look)

    def patch(
        self, corners: Sequence[Sequence[float]] | np.ndarray, lit: np.ndarray, end: np.ndarray | None = None
    ) -> None:
        """Add a detail in a colour that is lit already."""
        self.marks += self.stage.fill(self.pose.to_world(corners), lit, end)

    def side_patch(
        self,
        low: tuple[float, float],
        high: tuple[float, float],
        right: float,
        lit: np.ndarray,
        end: np.ndarray | None = None,
    ) -> None:
        """Add a rectangle on a side, from (forward, up) to (forward, up)."""
        (f0, u0), (f1, u1) = low, high
        self.patch([(f0, u0, right), (f1, u0, right), (f1, u1, right), (f0, u1, right)], lit, end)

    def end_patch(
        self,
        low: tuple[float, float],
        high: tuple[float, float],
        forward: float,
        lit: np.ndarray,
        end: np.ndarray | None = None,
    ) -> None:
        """Add a rectangle on the front or back, from (right, up) to (right, up)."""
        (r0, u0), (r1, u1) = low, high
        self.patch([(forward, u0, r0), (forward, u0, r1), (forward, u1, r1), (forward, u1, r0)], lit, end)

    def add_sheet(
        self, profile: list[tuple[float, float]], half_widths: list[float], color: np.ndarray, **look: Any
    ) -> dict[int, np.ndarray]:
        """Add a sheet that is bent along (forward, up) corners, between the two sides of a body.

        Args:
            profile: the corners.
            half_widths: of the sheet at each corner.
            color: of the material, RGB.
            look: as in `Stage.face`.

        Returns:
            The bands that the camera sees, by their numbers, each of shape (4, 3).
        """
        middle = [float(np.mean([f for f, _ in profile])), float(np.mean([u for _, u in profile])), 0.0]
        centre = self.pose.to_world([middle])[0]
        visible = {}
        corners = [(f, u, half) for (f, u), half in zip(profile, half_widths, strict=True)]
        for index, ((f0, u0, h0), (f1, u1, h1)) in enumerate(itertools.pairwise(corners)):
            band = self.pose.to_world([(f0, u0, -h0), (f0, u0, h0), (f1, u1, h1), (f1, u1, -h1)])
            marks = self.stage.face(band, centre, color, **look)
            if marks:
                visible[index] = band
            self.marks += marks
        return visible

    def faces_front(self, forward: float) -> bool:
        """Return whether the camera sees a cross-section at `forward` from its outer side."""
        plane = self.pose.to_world([(forward, 0.2, -0.5), (forward, 0.2, 0.5), (forward, 1, 0.5)])
        return self.stage.visible_normal(plane, self._middle()) is not None

    def visible_side(self, half_width: float) -> float | None:
        """Return the right coordinate of the side that faces the camera; None if neither does."""
        for right in (-half_width, half_width):
            plane = self.pose.to_world([(-0.5, 0.2, right), (0.5, 0.2, right), (0.5, 1, right)])
            if self.stage.visible_normal(plane, self._middle()) is not None:
                return right
        return None

    def add_wheel(self, forward: float, right: float, radius: float) -> None:
        """Add a wheel on a side."""
        layers = [(1.14, DARK * 0.6), (1.0, TYRE), (0.64, RIM), (0.5, RIM * 0.55), (0.2, RIM)]
        if self.stage.px_per_m(self.pose.z) * radius < 8:
            layers = layers[1:3]
        for share, color in layers:
            disc = np.insert(circle(14) * share * radius + (forward, radius), 2, right, axis=1)
            self.patch(disc, self.stage.light.shade(color))

    def _middle(self) -> np.ndarray:
        """Return a point inside the body, metres, shape (3,)."""
        return self.pose.to_world([(0, 1, 0)])[0]


def _interpolate(points: np.ndarray, u: float, v: float) -> np.ndarray:
    """Return a point of a quadrilateral (bottom left, bottom right, top right, top left) by its shares."""
    low, high = points[0] * (1 - u) + points[1] * u, points[3] * (1 - u) + points[2] * u
    return low * (1 - v) + high * v


def inset(points: np.ndarray, u0: float, u1: float, v0: float, v1: float) -> np.ndarray:
    """Return a part of a quadrilateral, given by its shares along (u) and up (v), shape (4, 3)."""
    return np.array([_interpolate(points, u, v) for u, v in ((u0, v0), (u1, v0), (u1, v1), (u0, v1))])
