"""A street under construction: who stands where, and in which order to paint them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from semseg.datasets.toycity import greenery
from semseg.datasets.toycity.scene import Shadow, Thing
from semseg.datasets.toycity.stage import Pose, Stage
from semseg.datasets.toycity.street import Street
from semseg.datasets.toycity.style import Style

SIDES = (-1, 1)
"""Left and right, the signs of x."""


@dataclass
class Site:
    """A scene under construction."""

    stage: Stage
    style: Style
    street: Street
    groups: list[tuple[tuple[float, float, float, float], list[Thing]]] = field(default_factory=list)
    shadows: list[Shadow] = field(default_factory=list)
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def put(self, things: list[Thing], x0: float, x1: float, z0: float, z1: float) -> None:
        """Stand things on a footprint."""
        if things:
            self.groups.append(((min(x0, x1), max(x0, x1), z0, z1), things))

    def is_free(self, x: float, z: float, half_x: float, half_z: float) -> bool:
        """Say whether nobody stands on a rectangle, and take it if so."""
        box = (x - half_x, x + half_x, z - half_z, z + half_z)
        for x0, x1, z0, z1 in self.taken:
            if box[0] < x1 and box[1] > x0 and box[2] < z1 and box[3] > z0:
                return False
        self.taken.append(box)
        return True

    def is_crossing(self, z0: float, z1: float) -> bool:
        """Say whether a stretch of the street meets the crossing street."""
        crossing = self.street.crossing
        return crossing is not None and z0 < crossing[1] and z1 > crossing[0]

    def cast(self, x: float, z: float, length: float, width: float, height: float) -> None:
        """Let a box along the street cast its shadow."""
        if z < 90:
            self.shadows += self.stage.shadows(Pose(x, z), length, width, height)

    def plant(self, x: float, z: float, scale: float = 1.0) -> None:
        """Stand a tree, with its shadow."""
        self.put(greenery.tree(self.stage, self.style, x, z, scale), x - 0.3, x + 0.3, z - 0.3, z + 0.3)
        sun = self.stage.light.sun
        if self.stage.light.shadow and z < 60:
            reach = sun / max(sun[1], 0.12)
            self.cast(x - reach[0] * 4, z - reach[2] * 4, 3.0, 3.0, 1.5)
        self.cast(x, z, 0.5, 0.5, 3.0)


def in_painting_order(groups: list[tuple[tuple[float, float, float, float], list[Thing]]]) -> list[Thing]:
    """Sort things so that what hides is painted after what it hides."""
    if not groups:
        return []
    x0, x1, z0, z1 = np.array([footprint for footprint, _ in groups]).T
    apart = z0[:, None] >= z1[None] - 1e-6  # row stands behind column
    level = ~apart & ~apart.T
    outside = ((x0[:, None] >= x1[None] - 1e-6) & (x0[:, None] > 0)) | (
        (x1[:, None] <= x0[None] + 1e-6) & (x1[:, None] < 0)
    )
    behind = apart | (level & outside & ~outside.T)
    middle = z0 + z1
    unclear = level & ~outside & ~outside.T
    behind |= unclear & (middle[:, None] > middle[None])
    np.fill_diagonal(behind, False)
    waiting, order = np.ones(len(groups), bool), []
    while waiting.any():
        ready = waiting & ~(behind & waiting[:, None]).any(axis=0)
        candidates = np.flatnonzero(ready if ready.any() else waiting)
        chosen = candidates[np.argmax(z1[candidates])]
        waiting[chosen] = False
        order += groups[chosen][1]
    return order
