"""Both sides of the street: houses, walls, fences, gardens."""

from __future__ import annotations

import numpy as np

from semseg.datasets.toycity import furniture, greenery, houses
from semseg.datasets.toycity.facades import FLOOR_M
from semseg.datasets.toycity.site import SIDES, Site


def add_lots(site: Site, include: dict[str, bool]) -> None:
    """Line both sides with houses, walls, fences and gardens."""
    rng, camera, crossing = site.stage.rng, site.stage.camera, site.street.crossing
    queues: dict[int, list[str]] = {-1: [], 1: []}
    for name in ("wall", "fence", "open"):
        if include[name]:
            queues[int(rng.choice(SIDES))].append(name)
    for side in SIDES:
        rng.shuffle(queues[side])
        x = site.street.house(side)
        slant = camera.width / 2 / camera.focal_px + side * np.tan(camera.yaw)
        first_visible_m = abs(x) / max(slant, 0.2)
        z = first_visible_m - rng.uniform(2, 9)
        while z < 115:
            length = rng.uniform(7, 17) * (1.0 if z < 50 else 2.2)
            if crossing is not None and site.is_crossing(z, z + length):
                if z < crossing[0] - 5:
                    length = crossing[0] - 1.5 - z
                else:
                    z = crossing[1] + 1.5
                    continue
            if queues[side] and z > first_visible_m - 6:
                kind = queues[side].pop(0)
            else:
                kind = str(rng.choice(["house", "wall", "fence", "open"], p=[0.78, 0.07, 0.07, 0.08]))
            _add_lot(site, side, x, z, z + length, kind)
            z += length


def _add_lot(site: Site, side: int, x: float, z0: float, z1: float, kind: str) -> None:
    stage, style, rng = site.stage, site.style, site.stage.rng
    floors = int(rng.integers(style.floors[0], style.floors[1] + 1))
    if kind == "house":
        site.add(houses.building(stage, style, x, z0, z1, floors), x, x + side * 12, z0, z1)
        site.add_shadow(x + side * 5, (z0 + z1) / 2, z1 - z0, 10.0, floors * FLOOR_M)
        return
    if kind == "wall":
        site.add(furniture.wall(stage, style, x, z0, z1 - 0.3), x, x + side * 0.4, z0, z1 - 0.3)
        site.add_shadow(x, (z0 + z1) / 2, z1 - z0, 0.3, 2.0)
    elif kind == "fence":
        site.add(furniture.fence(stage, x, z0, z1 - 0.3), x, x + side * 0.1, z0, z1 - 0.3)
    elif stage.chance(0.35):
        height = stage.between(0.8, 1.5)
        site.add(greenery.hedge(stage, x + side * 0.3, z0, z1 - 1, height), x, x + side * 1.3, z0, z1 - 1)
    if stage.chance(0.5):
        back = x + side * stage.between(6, 10)
        house = houses.building(stage, style, back, z0 + 1, z1 - 0.5, max(1, floors - 1))
        site.add(house, back, back + side * 11, z0 + 1, z1 - 0.5)
    for _ in range(int(rng.integers(0, 2))):
        tree_x, tree_z = x + side * stage.between(2.0, 5.5), stage.between(z0 + 1, z1 - 1)
        if site.reserve(tree_x, tree_z, 0.8, 0.8):
            site.add_tree(tree_x, tree_z)
    for _ in range(int(rng.integers(0, 2))):
        bush_x, bush_z = x + side * stage.between(1.0, 3.0), stage.between(z0 + 0.5, z1 - 1)
        if site.reserve(bush_x, bush_z, 0.4, 0.4):
            bush = greenery.bush(stage, style, bush_x, bush_z, stage.between(0.7, 1.4))
            site.add(bush, bush_x - 0.4, bush_x + 0.4, bush_z, bush_z + 0.4)
