"""A whole scene: samples camera, weather and street, and fills the street."""

from __future__ import annotations

import numpy as np

from semseg.datasets.toycity import furniture, greenery, houses, lots, signs, traffic, vehicles
from semseg.datasets.toycity.camera import Camera
from semseg.datasets.toycity.light import sample_light
from semseg.datasets.toycity.scene import Clear, Fill, Scene, Thing
from semseg.datasets.toycity.site import SIDES, Site, sort_for_painting
from semseg.datasets.toycity.stage import Pose, Stage
from semseg.datasets.toycity.street import build_ground, sample_street
from semseg.datasets.toycity.style import Style


def sample_camera(rng: np.random.Generator, width: int, height: int) -> Camera:
    """Sample a camera behind a windscreen.

    Args:
        rng: random generator.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """
    focal_px = max(width, height) * rng.uniform(0.9, 1.1)
    horizon = height * rng.uniform(0.37, 0.44)
    return Camera(
        width=width,
        height=height,
        focal_px=float(focal_px),
        height_m=float(rng.uniform(1.3, 1.75)),
        pitch=float(np.arctan((height / 2 - horizon) / focal_px)),
        yaw=float(rng.uniform(-0.1, 0.1)),
        roll=float(rng.uniform(-0.008, 0.008)),
    )


def compose(rng: np.random.Generator, style: Style, width: int, height: int) -> Scene:
    """Sample a street.

    Args:
        rng: random generator; the same state gives the same scene.
        style: of the city.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """
    include = {name: rng.random() < share for name, share in _SHARES.items()}
    camera = sample_camera(rng, width, height)
    light = sample_light(rng, is_rosario=style.name == "rosario")
    stage = Stage(camera, light, rng)
    street = sample_street(rng, style, include["train"])
    site = Site(stage, style, street)
    ground = [Thing("sky", (_clear_rectangle(0, 0, width, height),), 1e9)]
    ground += _build_backdrop(stage, style)
    ground += build_ground(stage, style, street)
    lots.add_lots(site, include)
    traffic.add_vehicles(site, include)
    _add_furniture(site, include)
    traffic.add_people(site, include)
    return Scene(
        camera=camera,
        light=light,
        ground=ground,
        shadows=site.shadows,
        standing=sort_for_painting(site.groups),
        frame=_build_frame(stage) if style.has_bonnet else [],
    )


_SHARES = {
    "train": 0.5,
    "bus": 0.52,
    "truck": 0.55,
    "wall": 0.7,
    "fence": 0.65,
    "cyclist": 0.62,
    "motorcyclist": 0.55,
    "parked bicycle": 0.4,
    "parked motorcycle": 0.42,
    "light": 0.72,
    "sign": 0.85,
    "open": 0.5,
    "group": 0.5,
}
"""Share of the pictures in which a thing is placed that would be too rare otherwise."""
_FURNITURE_END_M = 75.0


def _clear_rectangle(left: float, top: float, right: float, bottom: float) -> Clear:
    return Clear(np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32))


def _build_backdrop(stage: Stage, style: Style) -> list[Thing]:
    """Build the town at the end of the street."""
    rng = stage.rng
    z, x = 190.0, -40.0
    things = greenery.tree_line(stage, style, -130, 130, z + 5)
    while x < 40:
        width = rng.uniform(8, 24)
        if rng.random() < 0.6:
            floors = int(rng.integers(*style.floors)) + 1
            things += houses.facing_building(stage, style, x, x + width, z, floors)
        x += width * rng.uniform(0.8, 1.4)
    return things


def _add_furniture(site: Site, include: dict[str, bool]) -> None:
    """Add poles, street trees, traffic lights, signs, a railing, bins, wires and the posts of a bicycle lane."""
    stage, style, street, rng = site.stage, site.style, site.street, site.stage.rng
    wire_anchors = {}
    for side in SIDES:
        wire_anchors[side] = _add_poles(site, side)
        if stage.chance(0.4):
            _add_street_trees(site, side)
    if include["light"]:
        z = (street.crossing[0] - 6.5) if street.crossing else (street.zebra or stage.between(13, 26)) - 2.2
        z = max(z, 10.5)
        for side in SIDES:
            if side > 0 or stage.chance(0.75):
                x = street.kerb(side) + side * 0.45
                site.add_at(furniture.traffic_light(stage, x, z, -side, overhead=stage.chance(0.4)), x, z, 0.1, 0.1)
    if include["sign"]:
        for _ in range(int(rng.integers(2, 5))):
            side = int(rng.choice(SIDES, p=[0.35, 0.65]))
            x, z = street.kerb(side) + side * stage.between(0.4, 0.8), stage.between(9, 30)
            if site.reserve(x, z, 0.3, 0.3):
                build = signs.direction_board if stage.chance(0.25) else signs.traffic_sign
                site.add_at(build(stage, x, z), x, z, 0.2, 0.1)
    if stage.chance(0.2):  # a railing between sidewalk and road
        side = int(rng.choice(SIDES))
        x, z = street.kerb(side) + side * 0.3, stage.between(9, 14)
        length = stage.between(6, 14)
        if not site.is_crossing(z, z + length):
            site.add(furniture.fence(stage, x, z, z + length, 1.0), x, x + 0.05, z, z + length)
    for _ in range(int(rng.integers(0, 4))):
        side = int(rng.choice(SIDES))
        inner, outer = street.walk(side)
        x, z = stage.between(*sorted((outer - side * 0.5, inner + side * 0.6))), stage.between(12, 35)
        if site.reserve(x, z, 0.5, 0.5):
            build = furniture.bin_or_box if stage.chance(0.75) else furniture.left_bags
            site.add_at(build(stage, x, z), x, z, 0.3, 0.3)
    for side, anchors in wire_anchors.items():
        if style.wires and len(anchors) > 1:
            wires = furniture.wires(stage, [(anchors[0][0], 2.0), *anchors], stage.between(0, 0.4))
            # wires are in front of everything but the nearest things
            site.add(wires, street.kerb(side), street.kerb(side) + 0.01, 1.0, 1.5)
    if style.bike_lane > 0.5 and street.bike_lane:
        x = street.right_kerb - street.parking - 1.6
        for z in np.arange(8, 40, 2.2):
            marks = stage.box(Pose(x, z), (-0.5, 0.5), (0, 0.14), (-0.09, 0.09), np.array([232.0, 196, 40]))
            site.add_at([Thing("static", tuple(marks), z)] if marks else [], x, z, 0.09, 0.5)


def _add_poles(site: Site, side: int) -> list[tuple[float, float]]:
    """Add a row of poles or street lamps; return (x, z) of the poles that carry wires."""
    stage = site.stage
    x = site.street.kerb(side) + side * 0.55
    z, step = stage.between(8, 17), stage.between(36, 60)
    is_wooden = stage.chance(site.style.wooden_poles)
    anchors = []
    while z < _FURNITURE_END_M:
        if not site.is_crossing(z - 1, z + 1) and site.reserve(x, z, 0.25, 0.25):
            if is_wooden:
                things = furniture.wooden_pole(stage, x, z)
                anchors.append((x, z))
            else:
                things = furniture.street_lamp(stage, x, z, -side)
            site.add_at(things, x, z, 0.1, 0.1)
            site.add_shadow(x, z, 0.2, 0.2, 6.5)
        z += step
    return anchors


def _add_street_trees(site: Site, side: int) -> None:
    stage, street = site.stage, site.street
    z = stage.between(9, 16)
    verge = street.verge(side)
    x = street.kerb(side) + side * (verge / 2 if verge else 0.9)
    while z < _FURNITURE_END_M:
        if not site.is_crossing(z - 3, z + 3) and stage.chance(0.75) and site.reserve(x, z, 0.5, 0.8):
            site.add_tree(x, z, stage.between(0.7, 1.0))
        z += stage.between(12, 20)


def _build_frame(stage: Stage) -> list[Thing]:
    """Build the bonnet of the own car, and the border that is not evaluated."""
    width, height, rng = stage.camera.width, stage.camera.height, stage.rng
    bonnet_px, middle = height * rng.uniform(0.05, 0.1), width * rng.uniform(0.47, 0.53)
    u = np.linspace(-0.02, 1.02, 25) * width
    v = height - bonnet_px * (1 - ((u - middle) / (0.62 * width)) ** 2)
    color = stage.light.shade(stage.pick_color(vehicles.CAR_COLORS))
    sky = stage.light.horizon_rgb

    def band(share: float, top: np.ndarray, bottom: np.ndarray) -> Fill:
        edge = np.stack([u, v + share * bonnet_px], axis=1)
        corners = [(width * 1.02, height + 4), (-0.02 * width, height + 4)]
        return Fill(np.concatenate([edge, corners]).astype(np.float32), top, bottom)

    shine = 0.45 * color + 0.4 * sky
    marks = (band(0.0, color * 0.5, color * 0.5), band(0.08, shine, color * 0.55))
    border = max(1.0, round(height / 128))
    strips = [
        _clear_rectangle(0, 0, width, border),
        _clear_rectangle(0, height - border, width, height),
        _clear_rectangle(0, 0, border, height),
        _clear_rectangle(width - border, 0, width, height),
    ]
    return [Thing("ego vehicle", marks, 1.0), *(Thing("out of roi", (strip,), 1.0) for strip in strips)]
