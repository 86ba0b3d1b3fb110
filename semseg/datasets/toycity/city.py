"""A whole scene: draws camera, weather and street, and fills the street."""

from __future__ import annotations

import numpy as np

from semseg.datasets.toycity import furniture, greenery, houses, lots, traffic, vehicles
from semseg.datasets.toycity.camera import Camera
from semseg.datasets.toycity.light import sample_light
from semseg.datasets.toycity.scene import Clear, Fill, Mark, Scene, Thing
from semseg.datasets.toycity.site import SIDES, Site, in_painting_order
from semseg.datasets.toycity.stage import Pose, Stage
from semseg.datasets.toycity.street import lay_ground, sample_street
from semseg.datasets.toycity.style import Style


def sample_camera(rng: np.random.Generator, width: int, height: int) -> Camera:
    """Draw a camera behind a windscreen.

    Args:
        rng: chance.
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
    """Draw a street at random.

    Args:
        rng: chance; the same state gives the same scene.
        style: of the city.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """
    wants = {name: bool(rng.random() < share) for name, share in _WANTED.items()}
    camera = sample_camera(rng, width, height)
    light = sample_light(rng, is_rosario=style.name == "rosario")
    stage = Stage(camera, light, rng)
    street = sample_street(rng, style, wants["train"])
    site = Site(stage, style, street)
    ground = [Thing("sky", (Clear(_whole(camera)),), 1e9)]
    ground += _backdrop(stage, style)
    ground += lay_ground(stage, style, street)
    lots.add_lots(site, wants)
    traffic.add_vehicles(site, wants)
    _add_furniture(site, wants)
    traffic.add_people(site, wants)
    return Scene(
        camera=camera,
        light=light,
        ground=ground,
        shadows=site.shadows,
        standing=in_painting_order(site.groups),
        frame=_frame(stage) if style.has_bonnet else [],
    )


_WANTED = {
    "train": 0.5, "bus": 0.52, "truck": 0.55, "wall": 0.7, "fence": 0.65, "cyclist": 0.62,
    "motorcyclist": 0.55, "parked bicycle": 0.4, "parked motorcycle": 0.42, "light": 0.72, "sign": 0.85,
    "open": 0.5, "group": 0.5,
}  # fmt: skip
"""In which share of the pictures each thing that a real street shows too rarely is placed."""


def _whole(camera: Camera) -> np.ndarray:
    width, height = float(camera.width), float(camera.height)
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)


def _backdrop(stage: Stage, style: Style) -> list[Thing]:
    """The town at the end of the street."""
    rng = stage.rng
    things = []
    z, x = 190.0, -40.0
    things += greenery.tree_line(stage, style, -130, 130, z + 5)
    while x < 40:
        wide = rng.uniform(8, 24)
        if rng.random() < 0.6:
            floors = int(rng.integers(*style.floors)) + 1
            things += houses.facing_building(stage, style, x, x + wide, z, floors)
        x += wide * rng.uniform(0.8, 1.4)
    return things


def _add_furniture(site: Site, wants: dict[str, bool]) -> None:
    stage, style, street, rng = site.stage, site.style, site.street, site.stage.rng
    end = 75.0
    anchors: dict[int, list[tuple[float, float]]] = {-1: [], 1: []}
    for side in SIDES:
        x = street.kerb(side) + side * 0.55
        z, step = stage.between(8, 17), stage.between(36, 60)
        is_wooden = stage.chance(style.wooden_poles)
        while z < end:
            if not site.is_crossing(z - 1, z + 1) and site.is_free(x, z, 0.25, 0.25):
                if is_wooden:
                    things = furniture.wooden_pole(stage, x, z)
                    anchors[side].append((x, z))
                else:
                    things = furniture.street_lamp(stage, x, z, -side)
                site.put(things, x - 0.1, x + 0.1, z - 0.1, z + 0.1)
                site.cast(x, z, 0.2, 0.2, 6.5)
            z += step
        if stage.chance(0.4):
            z = stage.between(9, 16)
            verge = street.verge(side)
            tx = street.kerb(side) + side * (verge / 2 if verge else 0.9)
            while z < end:
                if not site.is_crossing(z - 3, z + 3) and stage.chance(0.75) and site.is_free(tx, z, 0.5, 0.8):
                    site.plant(tx, z, stage.between(0.7, 1.0))
                z += stage.between(12, 20)
    if wants["light"]:
        z = (street.crossing[0] - 6.5) if street.crossing else (street.zebra or stage.between(13, 26)) - 2.2
        z = max(z, 10.5)
        for side in SIDES:
            if side > 0 or stage.chance(0.75):
                x = street.kerb(side) + side * 0.45
                things = furniture.traffic_light(stage, x, z, -side, overhead=stage.chance(0.4))
                site.put(things, x - 0.1, x + 0.1, z - 0.1, z + 0.1)
    if wants["sign"]:
        for _ in range(int(rng.integers(2, 5))):
            side = int(rng.choice(SIDES, p=[0.35, 0.65]))
            x, z = street.kerb(side) + side * stage.between(0.4, 0.8), stage.between(9, 30)
            if site.is_free(x, z, 0.3, 0.3):
                build = furniture.direction_board if stage.chance(0.25) else furniture.traffic_sign
                site.put(build(stage, x, z), x - 0.2, x + 0.2, z - 0.1, z + 0.1)
    if stage.chance(0.2):  # a railing keeps people off the road
        side = int(rng.choice(SIDES))
        x, z = street.kerb(side) + side * 0.3, stage.between(9, 14)
        length = stage.between(6, 14)
        if not site.is_crossing(z, z + length):
            site.put(furniture.fence(stage, x, z, z + length, 1.0), x, x + 0.05, z, z + length)
    for _ in range(int(rng.integers(0, 4))):
        side = int(rng.choice(SIDES))
        inner, outer = street.walk(side)
        x, z = stage.between(*sorted((outer - side * 0.5, inner + side * 0.6))), stage.between(12, 35)
        if site.is_free(x, z, 0.5, 0.5):
            build = furniture.bin_or_box if stage.chance(0.75) else furniture.left_bags
            site.put(build(stage, x, z), x - 0.3, x + 0.3, z - 0.3, z + 0.3)
    if style.wires:
        for side in SIDES:
            if len(anchors[side]) > 1:
                hung = furniture.wires(stage, [(anchors[side][0][0], 2.0), *anchors[side]], stage.between(0, 0.4))
                # wires hang in front of everything but the nearest things
                site.put(hung, street.kerb(side), street.kerb(side) + 0.01, 1.0, 1.5)
    if style.bike_lane > 0.5 and street.bike_lane:
        x = street.right_kerb - street.parking - 1.6
        for z in np.arange(8, 40, 2.2):
            marks = stage.box(Pose(x, z), (-0.5, 0.5), (0, 0.14), (-0.09, 0.09), np.array([232.0, 196, 40]))
            site.put([Thing("static", tuple(marks), z)] if marks else [], x - 0.09, x + 0.09, z - 0.5, z + 0.5)


def _frame(stage: Stage) -> list[Thing]:
    """The bonnet of the own car, and the border that no evaluation looks at."""
    camera, rng = stage.camera, stage.rng
    width, height = camera.width, camera.height
    high, middle = height * rng.uniform(0.05, 0.1), width * rng.uniform(0.47, 0.53)
    u = np.linspace(-0.02, 1.02, 25) * width
    v = height - high * (1 - ((u - middle) / (0.62 * width)) ** 2)
    color = stage.light.on(vehicles.CAR_COLORS[rng.integers(len(vehicles.CAR_COLORS))])
    sky = stage.light.horizon_rgb

    def band(lift: float, tone: np.ndarray, end: np.ndarray) -> Mark:
        edge = np.stack([u, v + lift * high], axis=1)
        corners = [(width * 1.02, height + 4), (-0.02 * width, height + 4)]
        return Fill(np.concatenate([edge, corners]).astype(np.float32), tone, end)

    shine = 0.45 * color + 0.4 * sky
    marks = [band(0.0, color * 0.5, color * 0.5), band(0.08, shine, color * 0.55)]
    things = [Thing("ego vehicle", tuple(marks), 1.0)]
    border = max(1.0, round(height / 128))
    for x0, y0, x1, y1 in (
        (0, 0, width, border), (0, height - border, width, height),
        (0, 0, border, height), (width - border, 0, width, height),
    ):  # fmt: skip
        strip = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)
        things.append(Thing("out of roi", (Clear(strip),), 1.0))
    return things
