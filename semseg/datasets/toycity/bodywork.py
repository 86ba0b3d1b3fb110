"""What the bodies of all vehicles are built from: panels, bent sheets, panes and wheels.

A vehicle's own coordinates are (forward, up, right) in metres from the middle of its footprint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from semseg.datasets.toycity.scene import Mark
from semseg.datasets.toycity.stage import Pose, Stage

_CIRCLE = np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 15)[:-1]])
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
    marks: list[Mark]

    def world(self, local: list[tuple[float, float, float]]) -> np.ndarray:
        """Own coordinates to the world."""
        return self.pose.world(local)

    def side(self, profile: list[tuple[float, float]], right: float, color: np.ndarray, **look: Any) -> bool:
        """Add a side panel given by (forward, up) corners; say whether it is seen."""
        points = self.world([(f, u, right) for f, u in profile])
        found = self.stage.face(points, self.world([(0, 1, 0)])[0], color, **look)
        self.marks += found
        return bool(found)

    def patch(self, corners: list[tuple[float, float, float]], lit: np.ndarray, end: np.ndarray | None = None) -> None:
        """Add a detail in a colour that is lit already."""
        self.marks += self.stage.fill(self.world(corners), lit, end)

    def side_patch(
        self, low: tuple[float, float], high: tuple[float, float], right: float, lit: np.ndarray, end: Any = None
    ) -> None:
        """Add a rectangle on a side, from (forward, up) to (forward, up)."""
        (f0, u0), (f1, u1) = low, high
        self.patch([(f0, u0, right), (f1, u0, right), (f1, u1, right), (f0, u1, right)], lit, end)

    def end_patch(
        self, low: tuple[float, float], high: tuple[float, float], forward: float, lit: np.ndarray, end: Any = None
    ) -> None:
        """Add a rectangle on the front or back, from (right, up) to (right, up)."""
        (r0, u0), (r1, u1) = low, high
        self.patch([(forward, u0, r0), (forward, u0, r1), (forward, u1, r1), (forward, u1, r0)], lit, end)

    def sheet(self, profile: list[tuple[float, float]], half: list[float], color: np.ndarray, **look: Any) -> list:
        """Add the bands of a body between its two sides; return the seen ones as (index, corners)."""
        centre = self.world([(np.mean([f for f, _ in profile]), np.mean([u for _, u in profile]), 0)])[0]
        seen = []
        for index in range(len(profile) - 1):
            (f0, u0), (f1, u1) = profile[index], profile[index + 1]
            h0, h1 = half[index], half[index + 1]
            corners = self.world([(f0, u0, -h0), (f0, u0, h0), (f1, u1, h1), (f1, u1, -h1)])
            found = self.stage.face(corners, centre, color, **look)
            if found:
                seen.append((index, corners))
            self.marks += found
        return seen

    def faces_front(self, forward: float) -> bool:
        """Say whether the camera sees a cross-section at `forward` from its outer side."""
        inside = self.world([(0, 1, 0)])[0]
        plane = self.world([(forward, 0.2, -0.5), (forward, 0.2, 0.5), (forward, 1, 0.5)])
        return self.stage.visible_normal(plane, inside) is not None

    def seen_side(self, half: float) -> float | None:
        """The side (right coordinate) that looks at the camera, if any."""
        for right in (-half, half):
            plane = self.world([(-0.5, 0.2, right), (0.5, 0.2, right), (0.5, 1, right)])
            if self.stage.visible_normal(plane, self.world([(0, 1, 0)])[0]) is not None:
                return right
        return None

    def wheel(self, forward: float, right: float, radius: float) -> None:
        """Add a wheel on a side."""
        light = self.stage.light
        layers = [(1.14, DARK * 0.6), (1.0, TYRE), (0.64, RIM), (0.5, RIM * 0.55), (0.2, RIM)]
        if self.stage.px_per_m(self.pose.z) * radius < 8:
            layers = layers[1:3]
        for share, color in layers:
            circle = np.column_stack([_CIRCLE * share * radius + (forward, radius), np.full(len(_CIRCLE), right)])
            self.patch(circle, light.on(color))

    def glass(self, corners: list[tuple[float, float, float]], strength: float = 0.5) -> None:
        """Add a pane: a dark inside under a mirrored sky."""
        light = self.stage.light
        self.patch(corners, light.reflection(strength), light.reflection(strength * 0.3))


def _mix(points: np.ndarray, u: float, v: float) -> np.ndarray:
    """A point of a quadrilateral (bottom left, bottom right, top right, top left) by its shares."""
    low, high = points[0] * (1 - u) + points[1] * u, points[3] * (1 - u) + points[2] * u
    return low * (1 - v) + high * v


def inset(points: np.ndarray, u0: float, u1: float, v0: float, v1: float) -> np.ndarray:
    """A part of a quadrilateral, given by its shares along (u) and up (v), shape (4, 3)."""
    return np.array([_mix(points, u0, v0), _mix(points, u1, v0), _mix(points, u1, v1), _mix(points, u0, v1)])
