"""A scene under construction: the things, their footprints, and the order to paint them in."""

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


Footprint = tuple[float, float, float, float]
"""x0, x1, z0, z1 in metres."""


@dataclass
class Site:
    """A scene under construction."""

    stage: Stage
    style: Style
    street: Street
    groups: list[tuple[Footprint, list[Thing]]] = field(default_factory=list)
    shadows: list[Shadow] = field(default_factory=list)
    reserved: list[Footprint] = field(default_factory=list)

    def add(self, things: list[Thing], x0: float, x1: float, z0: float, z1: float) -> None:
        """Add things with a footprint."""
        if things:
            self.groups.append(((min(x0, x1), max(x0, x1), z0, z1), things))

    def add_at(self, things: list[Thing], x: float, z: float, half_x: float, half_z: float) -> None:
        """Add things with a footprint around a point."""
        self.add(things, x - half_x, x + half_x, z - half_z, z + half_z)

    def reserve(self, x: float, z: float, half_x: float, half_z: float) -> bool:
        """Reserve a rectangle around a point; return False if it overlaps a reserved one."""
        box = (x - half_x, x + half_x, z - half_z, z + half_z)
        for x0, x1, z0, z1 in self.reserved:
            if box[0] < x1 and box[1] > x0 and box[2] < z1 and box[3] > z0:
                return False
        self.reserved.append(box)
        return True

    def is_crossing(self, z0: float, z1: float) -> bool:
        """Return whether a stretch of the street meets the crossing street."""
        crossing = self.street.crossing
        return crossing is not None and z0 < crossing[1] and z1 > crossing[0]

    def add_shadow(self, x: float, z: float, length: float, width: float, height: float) -> None:
        """Add the shadow of a box along the street."""
        if z < 90:
            self.shadows += self.stage.shadows(Pose(x, z), length, width, height)

    def add_tree(self, x: float, z: float, scale: float = 1.0) -> None:
        """Add a tree and its shadow."""
        self.add_at(greenery.tree(self.stage, self.style, x, z, scale), x, z, 0.3, 0.3)
        sun = self.stage.light.sun
        if self.stage.light.shadow and z < 60:
            reach = sun / max(sun[1], 0.12)
            self.add_shadow(x - reach[0] * 4, z - reach[2] * 4, 3.0, 3.0, 1.5)
        self.add_shadow(x, z, 0.5, 0.5, 3.0)


def sort_for_painting(groups: list[tuple[Footprint, list[Thing]]]) -> list[Thing]:
    """Sort things so that what occludes is painted after what it occludes.

    A group is behind another one if it begins where the other ends, or, at overlapping distances, if it is farther
    from the middle of the street. Cycles are broken at the farthest group.
    """
    x0, x1, z0, z1 = np.array([footprint for footprint, _ in groups]).T
    # matrices of pairs: [row, column] is True if the row is ... the column
    beyond = z0[:, None] >= z1[None] - 1e-6
    overlapping = ~beyond & ~beyond.T
    outside = ((x0[:, None] >= x1[None] - 1e-6) & (x0[:, None] > 0)) | (
        (x1[:, None] <= x0[None] + 1e-6) & (x1[:, None] < 0)
    )
    behind = beyond | (overlapping & outside & ~outside.T)
    centre = z0 + z1
    undecided = overlapping & ~outside & ~outside.T
    behind |= undecided & (centre[:, None] > centre[None])
    np.fill_diagonal(behind, False)
    waiting, things = np.ones(len(groups), bool), []
    while waiting.any():
        ready = waiting & ~(behind & waiting[:, None]).any(axis=0)
        candidates = np.flatnonzero(ready if ready.any() else waiting)
        chosen = candidates[np.argmax(z1[candidates])]
        waiting[chosen] = False
        things += groups[chosen][1]
    return things
